import { variant, type Claim } from '../claim.ts'
import { ending, OwnedDriver } from '../owned-driver.ts'

/** It frees itself when every removal was asked for. */
class Hasty extends OwnedDriver {
  protected override async drain(): Promise<void> {
    // does not wait
  }
}

export const v13: Claim = {
  id: 'V13',
  title: 'A driver frees itself when its intervals were released, not when their removal was asked for',
  source: 'derived',
  says: `The removal of an interval is asked for and comes later: while an invalidation or a tree lock is under way, its callback may still run, and its release runs in the task that ends the period. Both use the driver's object. So the end of a driver is three steps: remove
everything, wait for the releases with \`synchronize\`, free. The posted nouveau patch left out the second; with no invalidation under way the releases have run by then, and nothing is to be seen.`,
  variants: [
    variant('right', 'the driver waits for its releases', 'pass', ending()),
    variant('a', 'it does not', 'UAF', ending(Hasty)),
  ],
}
