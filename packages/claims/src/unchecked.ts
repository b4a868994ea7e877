import type { NotifiedMm } from '@mmu-notifier/core'
import { Operations } from '@mmu-notifier/core/steps'
import type { Kernel } from '@mmu-notifier/kernel'

/** A core without the annotation that finds a wait for one's own invalidation before it happens: so it happens. */
export class Unannotated extends Operations {
  constructor(kernel: Kernel, mm: NotifiedMm) {
    super(kernel, mm)
    this.map.acquire = () => undefined
    this.map.release = () => undefined
  }
}
