import { variant, type Claim } from '../claim.ts'
import { withProtocol } from '../cores.ts'
import { Growing, growing, GrowingAnyTime, UpdateAtOnce, UpdateAtOnceAsInsert } from '../update-at-once.ts'

export const c10: Claim = {
  id: 'C10',
  title: 'update can be called only while the interval tree is locked for read',
  source: 'mail',
  says: `An invalidation that hit nothing leaves the sequence even, so the tree may change; but it is under way. An interval that is made larger at that moment gains a page that is about to go, and the invalidation, which has looked before, does not call it. Its reader goes on, since the
number says that nothing happens to it, and programs what it has read. With the tree locked, the sequence is odd: the update is deferred, and gives its notifier the number for which \`readBegin\` waits.

So the tree lock is what makes it right here, and it is also what leaves one case instead of three. It is not the only way: an update that takes the same care as an insert, that is makes the sequence odd if anything runs, may be called at any time.`,
  variants: [
    variant('right', 'with the tree locked', 'pass', growing((world) => new Growing(world))),
    variant('right insert', 'at any time, with the care of an insert', 'pass', growing((world) => new GrowingAnyTime(world), withProtocol(UpdateAtOnceAsInsert))),
    variant('a', 'at any time, at once', 'STALE', growing((world) => new GrowingAnyTime(world), withProtocol(UpdateAtOnce))),
  ],
}
