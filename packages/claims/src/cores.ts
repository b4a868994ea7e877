import type { NotifiedMm } from '@mmu-notifier/core'
import { Operations, type Notifier, type Protocol, type Word } from '@mmu-notifier/core/steps'
import type { Kernel } from '@mmu-notifier/kernel'

/** Makes the core of an address space: for `operations` of a stage. */
export type MakeOperations = (kernel: Kernel, mm: NotifiedMm) => Operations

/** A core whose critical sections are those of `protocol`: {@link Protocol} with one step overridden. */
export function withProtocol(protocol: new (seq: Word<number>, version: Word<number>) => Protocol<Notifier>): MakeOperations {
  class Overridden extends Operations {
    protected override createProtocol(): Protocol<Notifier> {
      return new protocol(this.kernel.cell('mmu_notifier_seq', 2), this.treeVersion)
    }
  }
  return (kernel, mm) => new Overridden(kernel, mm)
}

/** A core with one step between the sections overridden. */
export function withOperations(operations: new (kernel: Kernel, mm: NotifiedMm) => Operations): MakeOperations {
  return (kernel, mm) => new operations(kernel, mm)
}
