import type { Task } from './task.ts'

/**
 * The tracepoints that are known by type: name -> arguments. Packages add theirs:
 *
 * ```ts
 * declare module '@mmu-notifier/kernel' {
 *   interface TraceEvents { 'mm:frame_free': [frame: number] }
 * }
 * ```
 *
 * Names follow the kernel's `subsystem:event`.
 */
export interface TraceEvents {
  /** A task is created; it has not run yet. */
  'sched:spawn': [task: Task]
  /** The body of a task has returned or thrown. */
  'sched:exit': [task: Task]
}

type Listener = (...args: never[]) => void

/** Tracepoints: synchronous calls to whoever listens, and next to nothing when nobody does. */
export class Tracer {
  /** Made for the first listener. */
  #listeners: Map<string, Listener[]> | undefined

  /** Somebody has listened: without, there is no need to {@link emit}. */
  get listens(): boolean {
    return this.#listeners !== undefined
  }

  /** Calls the listeners of `name`, in the order in which they subscribed, in the context of the emitting task. */
  emit(name: string, args: readonly unknown[]): void {
    const listeners = this.#listeners?.get(name)
    if (listeners) for (const listener of listeners) listener(...(args as never[]))
  }

  /** @returns the function that unsubscribes */
  on(name: string, listener: Listener): () => void {
    const all = (this.#listeners ??= new Map<string, Listener[]>())
    all.set(name, [...(all.get(name) ?? []), listener])
    return () => {
      const rest = all.get(name)?.filter((other) => other !== listener)
      if (rest && rest.length > 0) all.set(name, rest)
      else all.delete(name)
    }
  }
}
