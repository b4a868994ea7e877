import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { VM_GROWSDOWN, type Mm } from '@mmu-notifier/mm'
import type { Checkpoint } from './checkpoints.ts'
import type { MapsEntry } from './maps.ts'
import { compareNormalForms, normalFormOfMaps, normalFormOfMm, type MapDifference, type NormalFormOptions } from './normal-form.ts'
import { isStack } from './start-map.ts'

/** What became of a checkpoint. */
export interface CheckpointResult {
  readonly checkpoint: Checkpoint
  /** `started`: the address space was not known before; the checkpoint is its start map, so nothing was compared. */
  readonly outcome: 'started' | 'equal' | 'different'
  readonly difference: MapDifference | undefined
}

/** Compares in normal form. The main stack grows by page faults: its start is taken over, not compared. */
export async function compareWithMm(map: readonly MapsEntry[], mm: Mm, options: NormalFormOptions): Promise<MapDifference | undefined> {
  const kernel: MapsEntry[] = []
  for (const entry of map) kernel.push(isStack(entry) ? { ...entry, start: await takeOverStack(entry, mm) } : entry)
  return compareNormalForms(normalFormOfMaps(kernel, options), normalFormOfMm(mm, options))
}

/** @returns the start to compare with */
async function takeOverStack({ start, end }: MapsEntry, mm: Mm): Promise<number> {
  const stack = mm.findVma(end - 1)
  if (stack?.end !== end || !(stack.flags & VM_GROWSDOWN)) return start
  try {
    if (start < stack.start) await mm.growStack(start)
  } catch (error) {
    if (!isMmuNotifierError(error, 'ENOMEM')) throw error // something is in the way: that will be the difference
  }
  return mm.findVma(end - 1)?.start ?? start
}
