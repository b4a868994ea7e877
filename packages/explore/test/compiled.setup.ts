import { createKernel } from '@mmu-notifier/kernel'

/** Against a configuration that compiles nothing, under which all tests would pass as well. */
async function sample(): Promise<void> {
  await Promise.resolve()
}

const { lockFor } = createKernel().mutex('sample') as unknown as Record<'lockFor', () => void>
for (const each of [sample, lockFor]) {
  if (each.constructor.name !== 'Function') throw new Error(`${each.name} was not compiled`)
}
