import { Protocol, type Notifier } from '@mmu-notifier/core/steps'
import type { Scenario } from '@mmu-notifier/explore'
import { variant, type Claim } from '../claim.ts'
import { withProtocol } from '../cores.ts'
import { stage, type Stage } from '../scenario.ts'

/** Its sequence numbers are of so many bits. */
function bits(count: number): new (...args: ConstructorParameters<typeof Protocol<Notifier>>) => Protocol<Notifier> {
  const mask = 2 ** count - 1
  return class extends Protocol<Notifier> {
    protected override freeze(): void {
      if (!this.frozen) this.seq.value = (this.seq.value + 1) & mask
    }

    protected override thaw(): void {
      this.seq.value = (this.seq.value + 1) & mask
    }

    protected override before(seq: number): number {
      return (seq - 1) & mask
    }
  }
}

/** Seven periods that do not concern the interval, and one that does, while a reader is under way. */
function eightPeriods(count: number): Scenario<Stage> {
  return stage(
    {
      async device({ driver, x }) {
        await driver.fault(x, 0)
      },
      async cpu({ world }) {
        for (let i = 0; i < 7; i++) await (await world.notifiers.lockTree()).unlock()
        await world.reclaim(0)
      },
      async second({ driver }) {
        await driver.insert(0)
      },
    },
    { operations: withProtocol(bits(count)) },
  )
}

export const wrap: Claim = {
  id: 'WRAP',
  title: 'The sequence may wrap, as long as no reader sleeps through a whole turn of it',
  source: 'derived',
  says: `The sequence is compared for equality only, and every period takes two numbers of it. So a counter of n bits comes back after 2^(n-1) periods, and a reader that slept so long between \`readBegin\` and \`readRetry\` is given its own number again by a callback that did
tell it: it programs what was freed. With four bits eight periods are enough; with five the same eight are not, and wrapping itself does no harm: an interval that is inserted at 0 is born with the highest number, which is odd.

With 64 bits nobody sleeps that long; with 32 bits it takes two thousand million periods. A stale number that happens to be that of the period under way costs a wait and no more.`,
  variants: [
    variant('right', 'five bits: eight periods are half a turn', 'pass', eightPeriods(5)),
    variant('a', 'four bits: eight periods are a whole turn', 'STALE', eightPeriods(4)),
  ],
}
