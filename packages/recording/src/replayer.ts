import type { Mm, PhysicalMemory } from '@mmu-notifier/mm'
import { CallReplayer, type KnownSpace } from './apply.ts'
import type { Checkpoint } from './checkpoints.ts'
import { compareWithMm, type CheckpointResult } from './compare.ts'
import type { CallEvent, RecordingEvent } from './events.ts'
import { FaultReplayer } from './fault-replay.ts'
import { Feed } from './feed.ts'
import { CLONE } from './flags.ts'
import { RecordedObjects } from './objects.ts'
import { Process, ProcessTable, Space, type Task } from './processes.ts'
import type { Recording } from './recording.ts'
import type { ReplayHooks, ReplayReport } from './replay.ts'
import { mapStart } from './start-map.ts'

/** The second pass at work: events, checkpoints and faults, in the order in which they happened. */
export class Replayer {
  readonly #recording: Recording
  readonly #memory: PhysicalMemory
  readonly #hooks: ReplayHooks
  readonly #events: Feed<RecordingEvent>
  readonly #checkpoints: Feed<Checkpoint>
  readonly #table = new ProcessTable()
  readonly #objects: RecordedObjects
  readonly #calls: CallReplayer
  readonly #faults: FaultReplayer
  /** The space of tasks that were there before the recording, when no checkpoint tells them apart. */
  #initial: Process | undefined
  readonly #known = new Set<number>()
  readonly #differences: CheckpointResult[] = []
  #compared = 0
  #lateStarts = 0
  readonly #linesRead = new Map<string, number>()

  constructor(recording: Recording, memory: PhysicalMemory, hooks: ReplayHooks) {
    const { kernel } = memory
    this.#recording = recording
    this.#memory = memory
    this.#hooks = hooks
    this.#events = new Feed(kernel, recording.events())
    this.#checkpoints = new Feed(kernel, recording.checkpoints())
    this.#objects = new RecordedObjects(memory)
    this.#calls = new CallReplayer(this.#objects)
    this.#faults = new FaultReplayer(new Feed(kernel, recording.faults()), this.#table, hooks.fault?.bind(hooks))
  }

  async run(): Promise<void> {
    for (;;) {
      if (this.#events.dry) {
        this.#progress()
        await this.#events.fill()
      }
      const event = this.#events.take()
      if (!event) break
      this.#linesRead.set(event.file, event.line)
      await this.#checkpointsBefore(event.line, event.time)
      if (event.time !== undefined) await this.#faults.before(event.time)
      await this.#event(event)
    }
    await this.#checkpointsBefore(Infinity, undefined)
    await this.#faults.before(Infinity)
    for (const space of this.#table.spaces()) await this.#exit(space)
    await this.#objects.release()
    this.#hooks.progress?.(this.#recording.lines, this.#recording.lines)
  }

  async close(): Promise<void> {
    await this.#events.close()
    await this.#checkpoints.close()
    await this.#faults.close()
  }

  report(): ReplayReport {
    const { lines, callsByName } = this.#recording
    return {
      lines,
      calls: [...callsByName.values()].reduce((sum, n) => sum + n, 0),
      callsByName,
      checkpoints: { compared: this.#compared, equal: this.#compared - this.#differences.length, differences: this.#differences },
      faults: this.#faults.counts,
      processes: this.#known.size,
      lateStarts: this.#lateStarts,
      earlyApplied: this.#calls.earlyApplied,
      assumedRanges: this.#calls.assumedRanges,
      uncertain: this.#calls.uncertain,
    }
  }

  #progress(): void {
    let line = 0
    for (const read of this.#linesRead.values()) line += read
    this.#hooks.progress?.(line, this.#recording.lines)
  }

  async #event(event: RecordingEvent): Promise<void> {
    if (event.kind === 'other') return
    const task = this.#task(event.task)
    switch (event.kind) {
      case 'call':
        return this.#enter(event, task)
      case 'return':
        if (event.entry.call.name === 'execve') return this.#execve(task, event.entry)
        if (task.space.inFlight.has(event.entry)) await this.#apply(event.entry, task) // else it was applied early
        return
      case 'exit':
        return this.#exit(this.#table.end(task))
      case 'superseded': {
        const by = this.#table.task(event.by)
        if (!by) return // its execve has renamed it already
        const left = this.#table.end(task)
        this.#table.rename(by, task.id)
        return this.#exit(left)
      }
    }
  }

  /** A task that nobody was seen to create was there before. */
  #task(id: number): Task {
    const known = this.#table.task(id)
    if (known) return known
    if (this.#recording.hasCheckpoints) return this.#table.add(id, new Process(id), new Space(id)).task
    const [sibling] = this.#initial?.tasks ?? []
    this.#initial ??= new Process(id)
    return this.#table.add(id, this.#initial, sibling?.space ?? new Space(this.#initial.id)).task
  }

  /** Calls are applied at the line of their result; fork copies at its entry. */
  async #enter(event: CallEvent, task: Task): Promise<void> {
    const { call, line, returnsAt } = event
    if (call.name === 'clone') return this.#clone(event, call.flags, call.result, task)
    if (call.name === 'execve') {
      task.held = []
      if (returnsAt === line) await this.#execve(task, event)
      else task.space.inFlight.add(event)
      return
    }
    if (task.held) await this.#faults.release(task, false) // it runs in its new map, of which no checkpoint has told yet
    if (returnsAt === line) await this.#apply(event, task)
    else task.space.inFlight.add(event)
  }

  async #apply(event: CallEvent, task: Task): Promise<void> {
    const space = await this.#knownSpace(task)
    if (space) await this.#calls.apply(event, space)
    else task.space.inFlight.delete(event)
  }

  async #knownSpace({ space }: Task): Promise<KnownSpace | undefined> {
    if (!space.mm && !this.#recording.hasCheckpoints) {
      space.assumed = true
      await this.#created(space, this.#memory.createMm(`pid ${space.processId}`))
    }
    return space.mm ? (space as KnownSpace) : undefined
  }

  async #created(space: Space, mm: Mm): Promise<void> {
    space.mm = mm
    this.#known.add(space.processId)
    await this.#hooks.mmCreated?.(mm, space.processId)
  }

  async #clone(event: CallEvent, flags: number, id: number, parent: Task): Promise<void> {
    const process = flags & CLONE.CLONE_THREAD ? parent.process : new Process(id)
    const shares = (flags & CLONE.CLONE_VM) !== 0
    const space = shares ? parent.space : new Space(id)
    const { abandoned } = this.#table.add(id, process, space)
    await this.#exit(abandoned)
    if (!shares && parent.space.mm) await this.#fork(event, parent.space as KnownSpace, space)
    if (shares && space.mm) this.#known.add(process.id)
  }

  /** What other threads are about to do at that moment is taken into the copy: by the time of their results it has mostly been done. */
  async #fork(event: CallEvent, parent: KnownSpace, child: Space): Promise<void> {
    const others = [...parent.inFlight].filter(({ call }) => call.name !== 'execve')
    for (const other of others) await this.#calls.apply(other, parent)
    if (others.length > 0) this.#calls.report(event, `fork: while ${others.length} calls of other threads were in flight`)
    child.brk = parent.brk
    child.assumed = parent.assumed
    await this.#created(child, await parent.mm.fork(`pid ${child.processId}`))
  }

  /** The other threads of the process end, and the task is the leader from now on. */
  async #execve(task: Task, event: CallEvent): Promise<void> {
    const { process } = task
    if (event.returnsAt !== event.line && !task.space.inFlight.delete(event)) return
    for (const other of [...process.tasks]) if (other !== task) await this.#exit(this.#table.end(other))
    await this.#exit(this.#table.move(task, new Space(process.id)))
    if (task.id !== process.id) this.#table.rename(task, process.id)
  }

  /** The new map is there before the line of the result is. */
  async #finishExecve({ space, process }: Task): Promise<void> {
    for (const event of space.inFlight) {
      const caller = this.#table.task(event.task)
      if (event.call.name === 'execve' && caller?.process === process) return this.#execve(caller, event)
    }
  }

  async #exit(space: Space | undefined): Promise<void> {
    const mm = space?.mm
    if (!space || !mm) return
    space.mm = undefined
    await this.#hooks.mmExit?.(mm)
    await mm.exit()
    await this.#hooks.mmExited?.(mm)
  }

  /** The next line, that of exit_group, was entered when an `exit` checkpoint was taken: faults before it come first. */
  async #checkpointsBefore(line: number, time: number | undefined): Promise<void> {
    for (;;) {
      if (this.#checkpoints.dry) await this.#checkpoints.fill()
      const next = this.#checkpoints.head
      if (!next || next.line >= line) return
      this.#checkpoints.take()
      if (next.kind === 'exit' && time !== undefined) await this.#faults.before(time)
      await this.#checkpoint(next)
    }
  }

  async #checkpoint(checkpoint: Checkpoint): Promise<void> {
    const { process: id, kind, map } = checkpoint
    const [task = this.#task(id)] = this.#table.process(id)?.tasks ?? []
    if (kind === 'exec') await this.#finishExecve(task)
    for (const other of checkpoint.tasks) if (!this.#table.task(other)) this.#table.add(other, task.process, task.space)
    const { space } = task
    if (!space.mm) {
      if (kind !== 'exec' && kind !== 'attach') this.#lateStarts++
      const mm = this.#memory.createMm(`pid ${id}`)
      space.brk = await mapStart(mm, map, this.#objects)
      await this.#created(space, mm)
      await this.#faults.release(task, kind === 'exec')
      await this.#hooks.checkpoint?.({ checkpoint, outcome: 'started', difference: undefined }, mm)
      return
    }
    const difference = await compareWithMm(map, space.mm, this.#recording)
    const result: CheckpointResult = { checkpoint, outcome: difference ? 'different' : 'equal', difference }
    this.#compared++
    if (difference) this.#differences.push(result)
    await this.#hooks.checkpoint?.(result, space.mm)
  }
}
