import { PAGE_SIZE, PROT_READ } from '@mmu-notifier/mm'
import { expectBytes, expectError } from './expectation.ts'
import { PAGES, part, words } from './fixture.ts'
import type { HmmTest } from './hmm-test.ts'

/** Memory that belongs to files, or is shared. */
export const FILES: readonly HmmTest[] = [
  {
    name: 'file_read',
    async run(t) {
      const file = await t.file('data', words(PAGES))
      await t.expectDevice('the file', await t.map(PAGES, { prot: PROT_READ, shared: true, file }))
    },
  },
  {
    name: 'file_write',
    async run(t) {
      const file = await t.file('data', new Uint8Array(PAGES * PAGE_SIZE))
      await t.deviceWrite(await t.map(PAGES, { shared: true, file }))
      expectBytes('the file', await file.read(0, PAGES * PAGE_SIZE), words(PAGES))
    },
  },
]

export const MIGRATE_FILES: readonly HmmTest[] = [
  {
    name: 'migrate_file_private',
    /** A page of the file stays in its cache; a private copy of one moves. */
    async run(t) {
      const file = await t.file('data', new Uint8Array(PAGES * PAGE_SIZE))
      const buffer = await t.map(PAGES, { file })
      await t.write(buffer)
      await t.migrate(buffer)
      await t.expectCpu('the buffer', buffer)
      expectBytes('the file', await file.read(0, PAGES * PAGE_SIZE), new Uint8Array(PAGES * PAGE_SIZE))
    },
  },
]

export const MIGRATE_SHARED: readonly HmmTest[] = [
  {
    name: 'migrate_shared',
    async run(t) {
      const buffer = await t.map(PAGES, { shared: true })
      await t.write(buffer)
      await expectError('MIGRATE_TO_DEV of shared memory', t.mirror.migrateToDevice(buffer.address, buffer.pages), 'ENOENT')
      await t.expectCpu('the buffer', buffer)
    },
  },
]

export const MIXED_MAP: readonly HmmTest[] = [
  {
    name: 'mixedmap',
    /** The process maps the device's file, in which the driver has put pages of its own. */
    async run(t) {
      const pages = words(2, (i) => 3 * i)
      const file = await t.file('/dev/hmm_dmirror', pages)
      const buffer = await t.map(2, { file })
      await t.expectDevice('a page of the driver', part(buffer, 0, 1), pages.subarray(0, PAGE_SIZE))
    },
  },
]
