import { explore, type Scenario } from '@mmu-notifier/explore'
import type { Kernel } from '@mmu-notifier/kernel'

const setup = (kernel: Kernel) => ({ balance: kernel.cell('balance', 100), lock: kernel.mutex('account.lock') })
type Account = ReturnType<typeof setup>

const add = async ({ balance }: Account, amount: number) => balance.write((await balance.read()) + amount)

const wrong: Scenario<Account> = {
  setup,
  tasks: {
    deposit: (account) => add(account, 50), // forgets the lock
    withdraw: (account) => account.lock.with(() => add(account, -30)),
  },
  check: ({ balance }) => {
    if (balance.value !== 120) throw new Error(`the balance is ${balance.value}, not 120`)
  },
}
const right: Scenario<Account> = {
  ...wrong,
  tasks: { ...wrong.tasks, deposit: (account) => account.lock.with(() => add(account, 50)) },
}

console.log((await explore(wrong)).report)
console.log()
console.log((await explore(right)).report)
