import { CoverOracle, StaleOracle } from '@mmu-notifier/driver'
import { createKernel, type Kernel } from '@mmu-notifier/kernel'
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, type Mm, type Userfaultfd } from '@mmu-notifier/mm'
import { describe, expect, test } from 'vitest'
import { DmirrorDevice, type Dmirror, type DmirrorForm } from '../src/index.ts'

const BASE = 0x200000000
const page = (n: number): number => BASE + n * PAGE_SIZE
const full = (byte: number): Uint8Array => new Uint8Array(PAGE_SIZE).fill(byte)

interface Rig {
  readonly kernel: Kernel
  readonly mm: Mm
  readonly mirror: Dmirror
  readonly uffd: Userfaultfd
}

/** Four pages, of which the first is there and the others are to be brought. */
async function rig(form: DmirrorForm): Promise<Rig> {
  const kernel = createKernel()
  const memory = new PhysicalMemory(kernel)
  const mm = memory.createMm('program')
  const mirror = await new DmirrorDevice(memory, { form, pages: 16 }).open(mm)
  new StaleOracle(kernel).watchTable(mirror)
  new CoverOracle(kernel).watch(mirror)
  await mm.mmap(BASE, 4 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
  await mm.write(BASE, full(1))
  const uffd = mm.userfaultfd()
  await uffd.register(BASE, 4 * PAGE_SIZE)
  return { kernel, mm, mirror, uffd }
}

/** READ_UNLOCKED in a task, which waits. @returns ends it: the first bytes of the pages and the rounds, or the errno */
async function waits({ kernel, mirror }: Rig, pages: number): Promise<() => Promise<unknown>> {
  let result: unknown = 'waits'
  const task = kernel.spawn('device', async () => {
    result = await mirror.readUnlocked(BASE, pages).then(
      ({ bytes, faults }) => [Array.from({ length: pages }, (_, i) => bytes[i * PAGE_SIZE]), faults],
      (error: unknown) => (error as { code?: unknown }).code,
    )
  })
  await kernel.idle()
  expect(result).toBe('waits')
  return async () => {
    await task.join()
    return result
  }
}

async function end({ mm, mirror, uffd }: Rig): Promise<void> {
  await uffd.close()
  await mirror.close()
  await mm.exit()
  expect([mm.notifiers.outstanding, mm.memory.frames.used]).toEqual([0, 1])
}

describe.each<DmirrorForm>(['kernel', 'v6'])('READ_UNLOCKED of the form %s', (form) => {
  test('waits for what is to be brought, in one round; READ does not', async () => {
    const machine = await rig(form)
    const { mirror, uffd } = machine
    await expect(mirror.read(page(0), 2)).rejects.toMatchObject({ code: 'EFAULT' })
    const device = await waits(machine, 4)
    await uffd.copy(page(1), full(2))
    await uffd.copy(page(3), full(4))
    await uffd.zeropage(page(2), PAGE_SIZE)
    expect(await device()).toEqual([[1, 2, 0, 4], 1])
    await end(machine)
  })

  test('what changes meanwhile is read as it is then', async () => {
    const machine = await rig(form)
    const { mm, uffd } = machine
    const device = await waits(machine, 2)
    await mm.write(BASE, full(9))
    await mm.mmap(BASE, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
    await mm.write(BASE, full(7))
    await uffd.copy(page(1), full(2))
    expect(await device()).toEqual([[7, 2], 1])
    await end(machine)
  })

  test('what is unmapped meanwhile is EFAULT, when it is woken', async () => {
    const machine = await rig(form)
    const { mm, uffd } = machine
    const device = await waits(machine, 3)
    await mm.munmap(page(1), PAGE_SIZE)
    await uffd.wake(page(1), PAGE_SIZE)
    expect(await device()).toBe('EFAULT')
    await end(machine)
  })

  test('an address that is none is EINVAL', async () => {
    const machine = await rig(form)
    await expect(machine.mirror.readUnlocked(BASE + 1, 1)).rejects.toMatchObject({ code: 'EINVAL' })
    await end(machine)
  })
})
