import type { IntervalNotifier } from '@mmu-notifier/core'
import type { Driver } from './driver.ts'

/** One turn of a fault handler: the device asks again when it has to be tried again, which another task, or an execution that starts it later, stands for. @returns false when it has to */
export async function attempt({ world, lock }: Driver, notifier: IntervalNotifier, page: number): Promise<boolean> {
  const seq = await notifier.readBegin()
  const frame = await world.read(page)
  await lock.lock()
  const retry = await notifier.readRetry(seq)
  if (!retry && frame !== 0) await world.program(page, frame)
  await lock.unlock()
  return !retry
}
