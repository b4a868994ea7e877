import type { Mm, PhysicalMemory } from '@mmu-notifier/mm'
import type { Uncertainty } from './apply.ts'
import type { CheckpointResult } from './compare.ts'
import type { FaultCounts } from './fault-replay.ts'
import type { RecordedFault } from './faults.ts'
import type { Recording } from './recording.ts'
import { Replayer } from './replayer.ts'

/** What a replay tells while it runs. A hook that returns a promise is awaited before anything else happens. */
export interface ReplayHooks {
  /** An address space came by execve, by fork, or with the recording's beginning; what is known of its map is in place. */
  mmCreated?(mm: Mm, processId: number): void | Promise<void>
  /** Before `mm.exit()`: nobody runs in it any more, or the recording is over. */
  mmExit?(mm: Mm): void | Promise<void>
  /** After `mm.exit()`. A device that is open on it is closed now: Linux too closes files after the address space has gone. */
  mmExited?(mm: Mm): void | Promise<void>
  /** A recorded page fault, after the CPU side of it was done. */
  fault?(mm: Mm, fault: RecordedFault): void | Promise<void>
  /** Some lines were replayed, of all of the recording. */
  progress?(line: number, total: number): void
  /** A checkpoint was compared with `mm`, or `mm` begins with it. */
  checkpoint?(result: CheckpointResult, mm: Mm): void | Promise<void>
}

export interface ReplayReport {
  readonly lines: number
  /** Calls of all kinds. */
  readonly calls: number
  readonly callsByName: ReadonlyMap<string, number>
  /** Checkpoints that a map began with are not compared. */
  readonly checkpoints: { readonly compared: number; readonly equal: number; readonly differences: readonly CheckpointResult[] }
  readonly faults: FaultCounts
  /** Processes that ran in a known address space. */
  readonly processes: number
  /** Address spaces that began with another checkpoint than that of their execve or of the attach. */
  readonly lateStarts: number
  /** Calls whose effect was needed before the line of their result. */
  readonly earlyApplied: number
  /** Ranges that are assumed to be anonymous memory, as a call succeeded on them: only without checkpoints. */
  readonly assumedRanges: number
  readonly uncertain: readonly Uncertainty[]
}

/**
 * Replays a recording into `memory`: an `Mm` for each address space, every call at its place. At the end all of them have exited.
 *
 * Without checkpoints a map begins empty at execve and holds what the calls tell. With them a process is left out until its first one.
 * @throws RecordingError for a trace that cannot be read
 */
export async function replay(recording: Recording, memory: PhysicalMemory, hooks: ReplayHooks = {}): Promise<ReplayReport> {
  const replayer = new Replayer(recording, memory, hooks)
  try {
    await replayer.run()
  } finally {
    await replayer.close()
  }
  return replayer.report()
}
