import { createKernel } from '@mmu-notifier/kernel'
import { describe, expect, test } from 'vitest'
import { frameOf, MAP_ANONYMOUS, MAP_HUGETLB, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, type Mm } from '../src/index.ts'
import { anon, leaveFrames, machine, page, peek, poke } from './helpers.ts'

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

describe('fork of a page that is pinned', () => {
  test('it stays the parent\'s, and who has pinned it sees what the parent writes; the child has a copy', async () => {
    const { mm, memory, at } = await mapped()
    await mm.write(at, Uint8Array.of(1))
    await mm.write(at + PAGE_SIZE, Uint8Array.of(1))
    const pinned = await mm.pinUserPages(at, at + PAGE_SIZE, { access: 'write' })
    const child = await mm.fork('child')
    const events: string[] = []
    memory.kernel.on('mmu_notifier:range_start', ({ event }) => events.push(event))
    await mm.write(at, Uint8Array.of(2))
    await child.write(at, Uint8Array.of(3))
    expect([events, memory.frames.read(pinned.frames[0] ?? 0, 0, 1)[0], (await mm.read(at, 1))[0], (await child.read(at, 1))[0]]).toEqual([[], 2, 2, 3])
    await mm.write(at + PAGE_SIZE, Uint8Array.of(2))
    expect(events).toEqual(['clear'])
    await pinned.unpin()
    const next = await mm.fork('next')
    await mm.write(at, Uint8Array.of(4))
    expect([(await next.read(at, 1))[0], events]).toEqual([2, ['clear', 'protectionPage', 'clear']])
    for (const each of [mm, child, next]) await each.exit()
    expect(memory.frames.used).toBe(1)
  })

  test('an exclusive one comes back from the device for that', async () => {
    const { mm, memory, at } = await mapped()
    const pinned = await mm.pinUserPages(at, at + PAGE_SIZE, { access: 'write' })
    await mm.mmapRead(async () => { await (await mm.makeDeviceExclusive(at, at + PAGE_SIZE)).release() })
    const child = await mm.fork('child')
    await mm.write(at, Uint8Array.of(2))
    expect([memory.frames.read(pinned.frames[0] ?? 0, 0, 1)[0], (await child.read(at, 1))[0]]).toEqual([2, 0])
  })

  test.each([
    ['huge', 'always', 0, 'protectionPage, clear'],
    ['of MAP_HUGETLB', 'never', MAP_HUGETLB, 'protectionPage'],
  ] as const)('all of one that is %s is copied', async (_, transparentHugepage, flags, expected) => {
    const memory = machine({ transparentHugepage })
    const mm = memory.createMm('mm')
    await anon(mm, 512, 512, PROT_READ | PROT_WRITE, flags)
    await poke(mm, 515, 5)
    const pinned = await mm.pinUserPages(page(514), page(515), { access: 'write' })
    const events: string[] = []
    memory.kernel.on('mmu_notifier:range_start', ({ event }) => events.push(event))
    const child = await mm.fork('child')
    expect(events.join(', ')).toBe(expected)
    await poke(mm, 514, 6)
    await poke(mm, 515, 6)
    await poke(child, 516, 7)
    expect([frameOf(mm.pageTable.get(page(514))), await peek(child, 514), await peek(child, 515), await peek(mm, 516), events.length]).toEqual([pinned.frames[0], 0, 5, 0, expected.split(', ').length])
    await pinned.unpin()
    await mm.exit()
    await child.exit()
    expect(memory.frames.used).toBe(1)
  })

  test('where memory ends at the copy, there is no child', async () => {
    const { mm, memory, at } = await mapped()
    const pinned = await mm.pinUserPages(at, at + 2 * PAGE_SIZE, { access: 'write' })
    const plenty = leaveFrames(memory, 1)
    await expect(mm.fork('child')).rejects.toMatchObject({ code: 'ENOMEM' })
    plenty()
    expect(memory.frames.used).toBe(3)
    await pinned.unpin()
    await mm.exit()
    expect(memory.frames.used).toBe(1)
  })
})
