import type { AddressRange } from '@mmu-notifier/core'
import { Operations, Protocol, type Notifier, type Range } from '@mmu-notifier/core/steps'
import { MmuNotifierError } from '@mmu-notifier/kernel'
import { withOperations, type MakeOperations } from './cores.ts'

/**
 * A core with an oracle of its own. CORRUPT: the tree has changed under a walk. An invalidation steps through it without a lock, so whatever changes it between the start of the range and the
 * last step may make it skip a node, or stand on none. Here each change is one step, so what happens then does not always show it.
 */
export function walkOracle(protocol: typeof Protocol<Notifier> = Protocol<Notifier>): MakeOperations {
  class Noted extends protocol {
    /** By range: the version of the tree when it started. */
    readonly seen: Map<AddressRange, number> = new Map<AddressRange, number>()

    override start(range: AddressRange): Notifier | undefined {
      this.seen.set(range, this.version.value)
      return super.start(range)
    }
  }

  class Watched extends Operations {
    protected override createProtocol(): Protocol<Notifier> {
      return new Noted(this.kernel.cell('mmu_notifier_seq', 2), this.treeVersion)
    }

    protected override async next(notifier: Notifier, range: Range): Promise<Notifier | undefined> {
      const version = await this.treeVersion.read()
      const before = (this.protocol as Noted).seen.get(range)
      if (version !== before) throw new MmuNotifierError('CORRUPT', `CORRUPT  the tree has changed under the walk of ${range.toString()}: its version was ${before} and is ${version}`)
      notifier.assertAlive('the walk of an invalidation')
      return this.protocol.next(notifier, range)
    }
  }

  return withOperations(Watched)
}
