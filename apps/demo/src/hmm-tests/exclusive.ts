import { PROT_READ } from '@mmu-notifier/mm'
import { expectBytes, expectError } from './expectation.ts'
import { PAGES, words, type Buffer, type Fixture } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'

const PLUS_ONE = words(PAGES, (i) => i + 1)

async function takeExclusive(t: Fixture): Promise<Buffer> {
  const buffer = await t.map()
  await t.write(buffer)
  expectBytes('what the device has for itself', await t.mirror.exclusive(buffer.address, buffer.pages), words(PAGES))
  await expectError('CHECK_EXCLUSIVE', t.mirror.checkExclusive(buffer.address, buffer.pages), 'EPERM')
  return buffer
}

export const EXCLUSIVE: readonly HmmTest[] = [
  {
    name: 'exclusive',
    async run(t) {
      const buffer = await takeExclusive(t)
      await t.expectCpu('the buffer', buffer)
      await t.write(buffer, PLUS_ONE)
      await t.expectCpu('the buffer, incremented', buffer, PLUS_ONE)
      await t.mirror.checkExclusive(buffer.address, buffer.pages)
    },
  },
  {
    name: 'exclusive_mprotect',
    async run(t) {
      const buffer = await takeExclusive(t)
      await t.protect(buffer, PROT_READ)
      await expectError('WRITE to what has become read-only', t.mirror.write(buffer.address, PLUS_ONE), 'EPERM')
      await t.expectCpu('the buffer', buffer)
    },
  },
  {
    name: 'exclusive_cow',
    /** Each process has its own copy, and nobody has it exclusively any more. */
    async run(t) {
      const buffer = await takeExclusive(t)
      const child = await t.fork()
      for (const mm of [child, t.mm]) {
        await t.expectCpu(`the buffer of ${mm.name}`, buffer, words(PAGES), mm)
        await t.write(buffer, PLUS_ONE, mm)
      }
      for (const mm of [child, t.mm]) await t.expectCpu(`the buffer of ${mm.name}, incremented`, buffer, PLUS_ONE, mm)
      await t.mirror.checkExclusive(buffer.address, buffer.pages)
    },
  },
]
