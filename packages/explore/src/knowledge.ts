import { LockOrder } from '@mmu-notifier/kernel'
import { Identities } from './identities.ts'
import { Reach } from './reach.ts'

/**
 * What is known of one scenario from all its executions, whichever engine ran them. It holds together: what operations reach, say, is told by the numbers of tasks and objects, and
 * those that are made while tasks run are numbered as they are met.
 */
export class Knowledge {
  readonly taskIds: Identities = new Identities()
  readonly objectIds: Identities = new Identities()
  readonly reach: Reach = new Reach()
  readonly lockOrder: LockOrder = new LockOrder()
}
