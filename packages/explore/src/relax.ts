import { operation, type Operation, type Target } from '@mmu-notifier/kernel'
import type { Event } from './event.ts'
import type { ExploredTask } from './explored-task.ts'
import type { RaceCheck } from './races.ts'
import type { Recorder } from './recorder.ts'

/** What a task waits with at the end of a turn of a retry loop, see `Kernel.cpuRelax`. */
export interface Turn extends Target {
  readonly recorder: Recorder
  readonly races: RaceCheck | undefined
  readonly task: ExploredTask
}

export const RELAX: Operation<Turn, Event, undefined, void> = operation({
  kind: 'relax',
  access: 'none',
  enabled: ({ recorder }, relax) => recorder.canRelax(relax),
  perform({ recorder, races, task }, relax) {
    for (const target of recorder.relaxed(relax)) races?.touch(target, 'read')
    task.turn = relax.index + 1
  },
})
