import type { Scenario } from '@mmu-notifier/explore'
import type { Completion, Gfp } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { Pressure } from '../pressure.ts'
import { stage, type Stage } from '../scenario.ts'
import type { World } from '../world.ts'
import { GrowUnderLock, TwoLocks } from './c20.ts'

/** A machine in which a thread reclaims: who wants memory, and may wait, waits for it. */
class Kswapd extends Pressure {
  readonly #world: World
  readonly #freed: Completion

  constructor(world: World) {
    super(world)
    this.#world = world
    this.#freed = world.kernel.completion('memory')
  }

  override async alloc(gfp: Gfp): Promise<boolean> {
    await this.#world.kernel.alloc(gfp)
    if (gfp === 'GFP_NOWAIT') return this.#freed.tryWait()
    await this.#freed.wait()
    return true
  }

  /** The thread. */
  async run(): Promise<void> {
    await this.#world.kernel.reclaim(() => this.#world.reclaim(0))
    await this.#freed.completeAll()
  }
}

interface Reclaimed {
  readonly memory: Kswapd
}

/** As nouveau: a fault takes the lock of the GPU's address space inside of the user lock; page tables for it are allocated before it is taken. */
class Nouveau extends TwoLocks implements Reclaimed {
  override readonly memory: Kswapd = new Kswapd(this.world)
}

/** Under it, but only what is there. */
class Tries extends Nouveau {
  override async grow(): Promise<void> {
    await this.vmm.with(async () => { await this.memory.alloc('GFP_NOWAIT') })
  }
}

/** Under it. */
class AllocatesLocked extends GrowUnderLock implements Reclaimed {
  override readonly memory: Kswapd = new Kswapd(this.world)
}

/** A fault, a driver that makes page tables, and the thread that reclaims what the fault maps. */
function three<D extends TwoLocks & Reclaimed>(driver: new (world: World) => D): Scenario<Stage<D>> {
  return stage<D>(
    {
      device: async (state) => { await state.driver.fault(state.x, 0) },
      grow: (state) => state.driver.grow(),
      kswapd: ({ driver: { memory } }) => memory.run(),
    },
    { driver: (world) => new driver(world) },
  )
}

export const c20b: Claim = {
  id: 'C20b',
  title: 'The circle of user lock, inner lock and reclaim closes through three tasks, of which none does anything wrong',
  source: 'nouveau/svm lockdep splat (January 2020); B15',
  says: `This is C20 b as nouveau had it, and where nobody reclaims for himself. A fault holds the user lock and wants the lock of the GPU's address space. Who has that one makes page tables and waits for memory. The thread that makes memory free has called the notifiers, and waits for the
user lock. No two of the three wait for each other, each is right by itself, and a stack shows nothing; the validator sees it in the first run in which each has gone by, without a shortage.

Memory is allocated before the inner lock is taken; or under it, if "none" is an answer.`,
  variants: [
    variant('right', 'page tables are allocated before the inner lock is taken', 'pass', three(Nouveau)),
    variant('right nowait', 'under it, without waiting for memory', 'pass', three(Tries)),
    variant('a', 'under it, with GFP_KERNEL', 'LOCKDEP', three(AllocatesLocked)),
    variant('a hangs', 'the same, and nobody checks the order of locks', 'DEADLOCK', three(AllocatesLocked), { lockdep: false }),
  ],
}
