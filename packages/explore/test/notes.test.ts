import type { Kernel } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { explore } from '../src/index.ts'

test('what a step means stands in place of it: said inside of it, or right after', async () => {
  const { counterexample, report } = await explore({
    setup: (kernel: Kernel) => ({ lock: kernel.spinLock('lock'), word: kernel.cell('word', 0) }),
    tasks: {
      async one({ lock, word }, kernel) {
        await lock.section(() => { kernel.note(() => 'enters') })
        await word.write(1)
        kernel.note(() => 'writes 1')
        await word.read()
        throw new Error('here')
      },
    },
  })
  expect(counterexample?.steps.map(({ kind, note }) => note ?? kind)).toEqual(['enters', 'writes 1', 'read'])
  expect(report).toMatch(/ {3}enters .*\n {3}writes 1 .*\n {3}read word /)
})

test('the report of a loop that does not end shows how it begins and ends, the data more of it', async () => {
  const { counterexample, report } = await explore({
    setup: (kernel: Kernel) => kernel.cell('word', 0),
    tasks: {
      async one(word) {
        for (;;) await word.write((await word.read()) + 1)
      },
    },
  }, { maxSteps: 500 })
  expect([counterexample?.code, counterexample?.steps.length]).toEqual(['LIVELOCK', 100])
  expect(report).toContain('   … 50 more steps …')
  expect(report.split('\n').length).toBeLessThan(60)
})
