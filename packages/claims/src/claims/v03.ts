import { variant, type Claim } from '../claim.ts'
import { withProtocol } from '../cores.ts'
import { Growing, growing, GrowingAnyTime, UpdateAtOnce, UpdateAtOnceAsInsert } from '../update-at-once.ts'
import { growing as growingFrozen, SilentUpdate } from './c16.ts'

export const v03: Claim = {
  id: 'V3',
  title: 'An update tells the readers of its interval, as an insert does',
  source: 'derived',
  says: `The posted update changed the bounds, at once or later, and left the notifier's number alone. An invalidation that is under way has looked at the tree already. If the interval grows over what it is about to change, nobody calls it for that, and its readers see an old number, so they do not wait: they
program what is just being taken away.

That is so in two states. In the midst of a period the update is deferred (a), and readers have to wait until it is applied: this is C16. When something is under way that hit no interval the sequence is even, and the update was made at once (b): then it has to make the sequence odd and take that number, as an insert does, or it may
not be called at all without the tree lock, in which case this state does not arise: this is C10.`,
  variants: [
    variant('right', 'a deferred update takes the number of the period', 'pass', growingFrozen()),
    variant('right lock', 'an update with the tree locked, when nothing is frozen otherwise', 'pass', growing((world) => new Growing(world))),
    variant('right insert', 'an update at any time, with the care of an insert', 'pass', growing((world) => new GrowingAnyTime(world), withProtocol(UpdateAtOnceAsInsert))),
    variant('a', 'a deferred update leaves the number alone', 'STALE', growingFrozen(withProtocol(SilentUpdate))),
    variant('b', 'an update at once does, while something is under way', 'STALE', growing((world) => new GrowingAnyTime(world), withProtocol(UpdateAtOnce))),
  ],
}
