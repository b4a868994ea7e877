import { createKernel } from '@mmu-notifier/kernel'
import { describe, expect, test } from 'vitest'
import { MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, type Mm } from '../src/index.ts'
import { leaveFrames } from './helpers.ts'

async function mapped(prot = PROT_READ | PROT_WRITE): Promise<{ readonly mm: Mm; readonly memory: PhysicalMemory; readonly at: number }> {
  const memory = new PhysicalMemory(createKernel())
  const mm = memory.createMm('mm')
  return { mm, memory, at: await mm.mmap(0, 2 * PAGE_SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS) }
}

describe('pinUserPages', () => {
  test('a page outlives its mapping until it is unpinned', async () => {
    const { mm, memory, at } = await mapped()
    await mm.write(at, Uint8Array.of(7))
    const pinned = await mm.pinUserPages(at, at + 2 * PAGE_SIZE, { access: 'write' })
    await mm.munmap(at, 2 * PAGE_SIZE)
    expect([memory.frames.read(pinned.frames[0] ?? 0, 0, 1)[0], memory.frames.used]).toEqual([7, 3])
    await pinned.unpin()
    expect(memory.frames.used).toBe(1)
  })

  test('what does not allow the access is EFAULT, and nothing stays pinned', async () => {
    const { mm, memory, at } = await mapped(PROT_READ)
    await expect(mm.pinUserPages(at, at + PAGE_SIZE, { access: 'write' })).rejects.toMatchObject({ code: 'EFAULT' })
    await expect(mm.pinUserPages(at, at + 3 * PAGE_SIZE)).rejects.toMatchObject({ code: 'EFAULT' })
    await expect(mm.pinUserPages(at + 1, at + PAGE_SIZE)).rejects.toMatchObject({ code: 'EINVAL' })
    expect(memory.frames.used).toBe(1)
  })

  test('where memory ends in the middle, nothing stays pinned', async () => {
    const { mm, memory, at } = await mapped()
    leaveFrames(memory, 1)
    await expect(mm.pinUserPages(at, at + 2 * PAGE_SIZE, { access: 'write' })).rejects.toMatchObject({ code: 'ENOMEM' })
    await mm.exit()
    expect(memory.frames.used).toBe(1)
  })
})
