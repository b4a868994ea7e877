import type { Scenario } from '@mmu-notifier/explore'
import type { Kernel, Mutex, SpinLock } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { World } from '../world.ts'
import { worldStage, type WorldStage } from '../world-stage.ts'

/** A page that is not mapped at first, but in the page cache. Walks of the page table, and changes, are under one lock; whoever maps, or moves, a page locks its folio. */
class WalkWorld extends World {
  /** As that of a hugetlb area, a lock whose holder may sleep. */
  readonly walkLock: Pick<Mutex, 'lock' | 'unlock'> = this.kernel.mutex('walk lock')
  readonly folio: Mutex = this.kernel.mutex('folio lock')

  constructor(kernel: Kernel) {
    super(kernel)
    this.entry(0).value = 0
  }

  /** The range fault: walks, faults on what is missing, and walks again. */
  override async read(page: number): Promise<number> {
    for (;;) {
      await this.walkLock.lock()
      const frame = await super.read(page)
      if (frame === 0) await this.missing(page)
      else await this.walkLock.unlock()
      if (frame !== 0) return frame
    }
  }

  /** Leaves the walk, and faults. */
  protected async missing(page: number): Promise<void> {
    await this.walkLock.unlock()
    await this.folio.with(() => this.handleFault(page))
  }

  /** Linux: `handle_mm_fault()`. */
  protected async handleFault(page: number): Promise<void> {
    await this.walkLock.lock()
    await this.mapCached(page)
    await this.walkLock.unlock()
  }

  protected async mapCached(page: number): Promise<void> {
    const frame = this.frame(1).value ? 1 : 2
    await this.entry(page).write(frame)
    this.kernel.note(() => `CPU: page ${page} -> frame ${frame}`)
  }

  /** Moves the page from its frame to another one. */
  async migrate(page: number): Promise<void> {
    await this.folio.lock()
    await this.notifiers.invalidate({ ...this.rangeOf(page), event: 'clear' }, async () => {
      await this.walkLock.lock()
      const mapped = await this.entry(page).update((held) => (held === 0 ? 0 : 2))
      this.kernel.note(() => `CPU: page ${page} -> ${mapped === 0 ? 'nothing still' : 'frame 2'}`)
      await this.walkLock.unlock()
      await this.free(1)
    })
    await this.folio.unlock()
  }
}

/** Faults where it stands, with the lock of the walk. */
class FaultsInWalk extends WalkWorld {
  protected override async missing(page: number): Promise<void> {
    await this.folio.with(() => this.mapCached(page))
    await this.walkLock.unlock()
  }
}

/** The same where that is the page-table lock. */
class FaultsUnderSpinLock extends FaultsInWalk {
  override readonly walkLock: SpinLock = this.kernel.spinLock('page-table lock')
}

/** The same, and the fault takes that lock as it always does. */
class FaultRelocks extends WalkWorld {
  protected override async missing(page: number): Promise<void> {
    await this.handleFault(page)
    await this.walkLock.unlock()
  }
}

/** Two devices want a page that is migrated. */
function walking(world: new (kernel: Kernel) => WalkWorld): Scenario<WorldStage<WalkWorld>> {
  return worldStage((kernel) => new world(kernel), {
    device: async ({ driver, x }) => { await driver.attempt(x, 0) },
    migration: (state) => state.world.migrate(0),
    device2: async ({ driver, x }) => { await driver.attempt(x, 0) },
  })
}

export const b10: Claim = {
  id: 'B10',
  title: 'The range fault leaves the walk, and its locks, before it faults a page in',
  source: 'mm/hmm: do not call hmm_vma_walk_hole() while holding a spinlock, and others',
  says: `A range fault walks the page tables under their locks, and finds a page missing. To fault it in takes what a fault takes: the folio lock, for which it waits, and the locks of the walk. Whoever migrates or reclaims the page has the folio locked and wants the walk's lock. So a fault in the midst of
the walk waits for somebody who waits for the walk; where the fault takes the lock itself, for itself; and if that is a spinlock it may not wait at all. The walk is left with everything unlocked, the page faulted in, and the walk begun again: what it has read before is still good only if \`readRetry\` says so, as always.`,
  variants: [
    variant('right', 'the walk is left for each fault, and begun again', 'pass', walking(WalkWorld)),
    variant('a', 'the page is faulted in under the lock of the walk', 'LOCKDEP', walking(FaultsInWalk)),
    variant('a hangs', 'the same, and nobody checks the order of locks', 'DEADLOCK', walking(FaultsInWalk), { lockdep: false }),
    variant('b', 'the fault takes that lock again', 'LOCKDEP', walking(FaultRelocks)),
    variant('c', 'it is a spinlock', 'LOCKDEP', walking(FaultsUnderSpinLock)),
  ],
}
