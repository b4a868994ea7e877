import { AtsWorld, unmapping } from '../ats-world.ts'
import { variant, type Claim } from '../claim.ts'

/** The loop over the pages counts its parameter up, and hands on what is left of the range: nothing. */
class ModifiesParameters extends AtsWorld {
  override async flush(first: number, last: number = first): Promise<void> {
    for (; first <= last; first++) await this.flushPage(first)
    await this.flushSecondary(first, last)
  }
}

export const b07: Claim = {
  id: 'B7',
  title: 'The flush of the secondary TLBs gets the range, not what the loop over it has left',
  source: 'arm64: __flush_tlb_range_op modifies its parameters',
  says: `On Arm a range is flushed in a loop that advances its start. When the call for the secondary TLBs was added behind that loop it got the start where the loop had left it: an empty range. Nothing fails at once, for an empty range is a legal one. The device goes on with pages that
belong to somebody else, as if the call were not there (B5 a).`,
  variants: [
    variant('right', 'the device flushes the range that the CPU has flushed', 'pass', unmapping(AtsWorld, 2)),
    variant('a', 'it is told of an empty one', 'STALE', unmapping(ModifiesParameters, 2)),
  ],
}
