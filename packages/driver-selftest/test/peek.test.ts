import { createKernel } from '@mmu-notifier/kernel'
import { MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE } from '@mmu-notifier/mm'
import { expect, test } from 'vitest'
import { DmirrorDevice, HMM_DMIRROR_PROT_ERROR, type Dmirror } from '../src/index.ts'

const BASE = 0x200000000
const PAGES = 70
const page = (n: number): number => BASE + n * PAGE_SIZE

test('peek and lookRange say what snapshot and look say, after whatever happened', async () => {
  const memory = new PhysicalMemory(createKernel())
  const mm = memory.createMm('program')
  const open = (): Promise<Dmirror> => new DmirrorDevice(memory, { pages: 256 }).open(mm)
  const [a, b] = [await open(), await open()]
  const steps: (() => Promise<unknown>)[] = [
    async () => undefined,
    () => mm.mmap(page(1), 66 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED),
    () => mm.write(page(2), new Uint8Array(3 * PAGE_SIZE).fill(1)),
    () => a.read(page(1), 66),
    () => b.write(page(3), new Uint8Array(PAGE_SIZE)),
    () => a.migrateToDevice(page(2), 4),
    () => b.migrateToDevice(page(10), 2),
    () => a.exclusive(page(20), 3),
    () => mm.mprotect(page(30), PAGE_SIZE, PROT_READ),
    () => mm.madvise(page(2), 2 * PAGE_SIZE, MADV_DONTNEED),
    () => mm.munmap(page(64), PAGE_SIZE),
  ]
  for (const step of steps) {
    await step()
    for (const mirror of [a, b]) {
      const [table, snapshot] = [new Uint8Array(PAGES), new Uint8Array(PAGES)]
      mirror.lookRange(BASE, table)
      mirror.peek(BASE, snapshot)
      expect(String.fromCharCode(...table)).toBe(Array.from(table, (_, n) => mirror.look(page(n))).join(''))
      expect(snapshot).toEqual(await mirror.snapshot(BASE, PAGES))
      expect(snapshot[0]).toBe(HMM_DMIRROR_PROT_ERROR)
    }
  }
})
