import { MmuNotifierError } from './errors.ts'
import type { Scheduler, Target } from './scheduler.ts'

/**
 * The memory of an object whose owner frees it by hand. JavaScript frees by itself; this makes the moment checkable, as KASAN does. Neither method is a step: a use that nothing
 * orders against the `kfree` is a UAF to a scheduler that explores, in whichever order the two came.
 */
export interface Memory {
  readonly name: string
  /** Now; a look, of which no scheduler is told. */
  readonly freed: boolean
  /** @throws UAF when it was freed. @param by completes "… uses" */
  use(by: string): void
  /** Linux: `kfree()`. @throws UAF when it was freed already */
  free(): void
}

export class KernelMemory implements Memory, Target {
  id = 0
  readonly name: string
  readonly scheduler: Scheduler
  readonly raceCode = 'UAF'
  /** Who freed it. */
  state: string | undefined

  constructor(scheduler: Scheduler, name: string) {
    this.scheduler = scheduler
    this.name = name
  }

  get freed(): boolean {
    return this.state !== undefined
  }

  use(by: string): void {
    this.scheduler.touched?.(this, 'read')
    if (this.state !== undefined) this.#fail(`uses ${this.name} in ${by}`)
  }

  free(): void {
    this.scheduler.touched?.(this, 'write')
    if (this.state !== undefined) this.#fail(`frees ${this.name}`)
    this.state = this.scheduler.current.name
  }

  #fail(what: string): never {
    throw new MmuNotifierError('UAF', `UAF  task ${this.scheduler.current.name} ${what}, which ${this.state ?? '?'} has freed`)
  }
}
