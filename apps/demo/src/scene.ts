import { hex, type Interval, type IntervalNotifier } from '@mmu-notifier/core'
import { checkLeaks, Device, StaleOracle } from '@mmu-notifier/driver'
import { nouveau } from '@mmu-notifier/driver-nouveau'
import { createKernel, type Kernel } from '@mmu-notifier/kernel'
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PAGE_SIZE, PhysicalMemory, PROT_READ, PROT_WRITE, type Mm } from '@mmu-notifier/mm'

/**
 * The thread in one scene, with the real driver on a real address space: while reclaim has the tree frozen, a fault handler finds an
 * interval and takes a reference, one munmap punches a hole through it and another takes a whole interval away, and nothing of it shows
 * until the last invalidation ends.
 * @param print gets a line for each event that happens
 */
export async function scene(print: (line: string) => void): Promise<void> {
  const kernel = createKernel()
  const memory = new PhysicalMemory(kernel)
  const mm = memory.createMm('process')
  const device = await Device.attach(kernel, { driver: nouveau, mm, name: 'gpu' })
  const oracle = new StaleOracle(kernel)
  oracle.watch(device)

  const buffer = await map(mm, 0x100000, 8)
  const scratch = await map(mm, 0x200000, 1)
  for (const address of [buffer, buffer + 3 * PAGE_SIZE, buffer + 7 * PAGE_SIZE, scratch]) await device.touch(address, 'write')

  const mute = narrate(kernel, mm, print)
  const reclaim = heldInvalidation(kernel, mm, buffer + 7 * PAGE_SIZE)
  await kernel.idle()
  const engine = kernel.spawn('gpu engine', () => device.touch(buffer + 7 * PAGE_SIZE, 'read'))
  await kernel.idle()
  await kernel.spawn('munmap', () => mm.munmap(buffer + 3 * PAGE_SIZE, PAGE_SIZE)).join()
  await kernel.spawn('munmap', () => mm.munmap(scratch, PAGE_SIZE)).join()
  await reclaim.end()
  await engine.join()
  await kernel.idle()
  mute()

  await device.detach()
  checkLeaks(mm, [device.mmu])
  await mm.exit()
}

function map(mm: Mm, address: number, pages: number): Promise<number> {
  return mm.mmap(address, pages * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)
}

/** Reclaim that looks at a page and takes its time, then leaves the page where it is. */
function heldInvalidation(kernel: Kernel, mm: Mm, page: number): { end(): Promise<void> } {
  const gate = kernel.waitQueue('the scene')
  let open = false
  const task = kernel.spawn('kswapd', async () => {
    const range = await mm.notifiers.invalidateRangeStart({ start: page, end: page + PAGE_SIZE, event: 'clear' })
    await gate.until(() => open)
    await mm.notifiers.invalidateRangeEnd(range)
  })
  return {
    async end() {
      open = true
      await gate.wakeAll()
      await task.join()
    },
  }
}

/** Prints a line for each event from now on. @returns the function that stops it */
function narrate(kernel: Kernel, { notifiers }: Mm, print: (line: string) => void): () => void {
  const say = (what: string): void => { print(`${kernel.current.name.padEnd(10)}  ${what}`) }
  const tree = (): string => `seq ${notifiers.seq}${notifiers.seq % 2 === 1 ? ', the tree is frozen' : ''}`
  const off = [
    kernel.on('mmu:fault', (_, page, access) => { say(`cannot ${access} ${hex(page)}: a fault, the access stalls`) }),
    kernel.on('mmu:entry', (_, page, before, after) => {
      if (after === 0) say(`  unmaps ${hex(page)} from the device`)
      else if (before === 0) say(`  maps ${hex(page)} on the device`)
    }),
    kernel.on('mmu:replay', () => { say('replays the stalled accesses') }),
    kernel.on('mmu_notifier:range_start', ({ start, end, event }) => { say(`invalidates (${event}) [${hex(start)}, ${hex(end)}); ${tree()}`) }),
    kernel.on('mmu_notifier:invalidate', (notifier) => { say(`  calls the driver back for ${show(notifier)}`) }),
    kernel.on('mmu_notifier:find', (found) => { say(found ? `finds ${show(found)} under the tree lock` : 'finds nothing') }),
    kernel.on('mmu_notifier:get', (notifier) => { say(`takes a reference to ${show(notifier)}: ${notifier.references} now`) }),
    kernel.on('mmu_notifier:wait', (notifier) => { say(`waits in readBegin, for the end of what has hit ${show(notifier)}`) }),
    kernel.on('mmu_notifier:batch', (removed, inserted) => {
      say(`  queues a batch: ${changes([...removed, ...inserted])}; ${deferred(notifiers.deferred)}`)
    }),
    kernel.on('mmu_notifier:remove_deferred', (notifier) => { say(`  puts ${show(notifier)} asynchronously, and has it back at once; ${deferred(notifiers.deferred)}`) }),
    kernel.on('mm:frame_free', (frame) => { say(`  frees frame ${frame}`) }),
    kernel.on('mmu_notifier:range_end', ({ start, end }) => { say(`ends its invalidation of [${hex(start)}, ${hex(end)}); ${notifiers.active > 1 ? 'another one runs' : 'it was the last'}`) }),
    kernel.on('mmu_notifier:apply', (applied) => { say(`applies, all at once: ${changes(applied)}; ${tree()}`) }),
    kernel.on('mmu_notifier:read_retry', (notifier, _seq, retry) => { if (retry) say(`must retry: ${show(notifier)} is ${notifier.dying ? 'dying' : 'invalidated'}`) }),
    kernel.on('mmu_notifier:put', (notifier) => { say(`puts its reference to ${show(notifier)}: ${notifier.references} left`) }),
    kernel.on('mmu_notifier:release', (notifier) => { say(`releases ${show(notifier)}`) }),
    kernel.on('sched:exit', (task) => { print(`${task.name.padEnd(10)}  returns`) }),
  ]
  return () => { for (const stop of off) stop() }
}

function deferred(n: number): string {
  return `${n} operation${n === 1 ? ' is' : 's are'} deferred`
}

function changes(notifiers: readonly IntervalNotifier[]): string {
  return notifiers.map((notifier) => `${show(notifier)} ${notifier.dying ? 'out' : 'in'}`).join(', ')
}

function show({ start, last }: Interval): string {
  return `[${hex(start)}, ${hex(last)}]`
}
