import { variant, type Claim } from '../claim.ts'
import { withOperations } from '../cores.ts'
import { beside } from '../scenario.ts'
import { LockedRemove, SplitEnd } from '../split-end.ts'
import { Removing, removing } from './c13.ts'

export const v06: Claim = {
  id: 'V6',
  title: 'Who waits for his removal looks at the sequence with the spinlock held',
  source: 'derived',
  says: `The sequence becomes even at the beginning of the section that takes the removed intervals out of the tree. The posted series kept a \`wait_event\` whose condition reads it without the spinlock, as readers do. A remover who looks in the midst of that section goes on and frees his notifier, and the section comes to it
next. See C13 and B1, and C16d for why readers may do so.`,
  variants: [
    variant('right', 'it looks with the spinlock held', 'pass', beside(removing((world) => new Removing(world), withOperations(LockedRemove)), 0)),
    variant('a', 'it looks without', 'UAF', removing((world) => new Removing(world), withOperations(SplitEnd))),
  ],
}
