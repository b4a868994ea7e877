import type { Scenario } from '@mmu-notifier/explore'
import { MmuNotifierError, type Cell, type Mutex, type Kernel } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { at, World } from '../world.ts'
import { worldStage, type WorldStage } from '../world-stage.ts'

/** What an entry is while its page is on its way. */
const MIGRATION = -1

/** A page with a copy in swap, which is good as long as the page is clean. A CPU that writes sets the dirty bit of the entry. */
class SwapWorld extends World {
  readonly folio: Mutex = this.kernel.mutex('folio lock')
  /** By frame: what it holds. */
  readonly data: readonly Cell<number>[] = this.frames.map((_, frame) => this.kernel.cell(`data of frame ${frame}`, 0))
  readonly swap: Cell<number> = this.kernel.cell('swap', 0)
  /** Of the entry. */
  readonly entryDirty: Cell<boolean> = this.kernel.cell('dirty bit of the entry', false)
  /** Of the page, which keeps it when it is moved. */
  readonly pageDirty: Cell<boolean> = this.kernel.cell('dirty bit of the page', false)

  /** To a device what is not present is nothing. */
  override async read(page: number): Promise<number> {
    return Math.max(0, await super.read(page))
  }

  /** A CPU writes; a fault brings the page in, after whoever has it locked. */
  async store(value: number): Promise<void> {
    while (!(await this.tryStore(value))) {
      await this.folio.lock()
      if ((await this.entry(0).read()) === 0) await this.swapIn(3)
      await this.folio.unlock()
    }
  }

  protected async tryStore(value: number): Promise<boolean> {
    let done = false
    await this.entry(0).update((frame) => {
      done = frame > 0
      this.kernel.note(() => (done ? `CPU: writes ${value} to frame ${frame}: dirty` : 'CPU: a fault'))
      if (!done) return frame
      at(this.data, frame).value = value
      this.entryDirty.value = true
      return frame
    })
    return done
  }

  protected async swapIn(frame: number): Promise<void> {
    at(this.data, frame).value = await this.swap.read()
    await this.entry(0).write(frame)
    this.kernel.note(() => `CPU: page 0 -> frame ${frame}, from swap`)
  }

  async migrate(to: number): Promise<void> {
    await this.folio.lock()
    let from = 0
    await this.notifiers.invalidate({ ...this.rangeOf(0), event: 'migrate' }, async () => { from = await this.collect() })
    if (from !== 0) {
      at(this.data, to).value = at(this.data, from).value
      const dirty = this.pageDirty.value
      await this.entry(0).write(to)
      this.kernel.note(() => `CPU: page 0 -> frame ${to}, ${dirty ? 'dirty' : 'clean'}`)
      await this.free(from)
    }
    await this.folio.unlock()
  }

  /** Linux: `migrate_vma_collect_pmd()`. */
  protected async collect(): Promise<number> {
    return this.detach(MIGRATION, () => { this.carry() })
  }

  /** The entry was dirty. */
  protected carry(): void {
    this.pageDirty.value = true
  }

  /** Takes the page out of its entry, in one section of the page-table lock. @returns the frame, 0 when there is none */
  protected async detach(instead: number, carry: () => void): Promise<number> {
    let found = 0
    await this.entry(0).update((frame) => {
      found = Math.max(0, frame)
      this.kernel.note(() => (found === 0 ? 'CPU: page 0 is not there' : `CPU: page 0 -> ${instead === MIGRATION ? 'migration entry' : 'swap'}`))
      if (found === 0) return frame
      if (this.entryDirty.value) carry()
      this.entryDirty.value = false
      return instead
    })
    return found
  }

  /** Writes the page to swap if it is dirty, and frees its frame. */
  async swapOut(): Promise<void> {
    await this.folio.lock()
    await this.notifiers.invalidate({ ...this.rangeOf(0), event: 'clear' }, async () => {
      const frame = await this.detach(0, () => { this.pageDirty.value = true })
      if (frame === 0) return
      await this.writeOut(frame)
      await this.free(frame)
    })
    await this.folio.unlock()
  }

  protected async writeOut(frame: number): Promise<void> {
    const dirty = await this.pageDirty.update(() => false)
    this.kernel.note(() => `page 0 is ${dirty ? 'dirty: to be written to swap' : 'clean: swap has it'}`)
    if (dirty) await this.swap.write(at(this.data, frame).value)
  }

  /** DATA: what was written is neither in the page nor in swap. For `check`. */
  kept(written: number): void {
    const frame = this.entry(0).value
    const value = frame > 0 ? at(this.data, frame).value : this.swap.value
    if (value !== written) throw new MmuNotifierError('DATA', `DATA  ${written} was written to page 0, which holds ${value}`)
  }
}

/** The bit goes with the entry. */
class DropsDirty extends SwapWorld {
  protected override carry(): void {
    // it was about the entry
  }
}

type Tasks = Scenario<WorldStage<SwapWorld>>['tasks']

/** A CPU writes to a page that is migrated, and swapped out. */
function swapping(world: new (kernel: Kernel, options: { readonly pages: number }) => SwapWorld, also: Tasks = {}): Scenario<WorldStage<SwapWorld>> {
  return worldStage(
    (kernel) => new world(kernel, { pages: 2 }),
    {
      cpu: (state) => state.world.store(1),
      migration: (state) => state.world.migrate(4),
      reclaim: (state) => state.world.swapOut(),
      ...also,
    },
    (state) => { state.kept(1) },
  )
}

/** A device asks for it. */
const wanted: Tasks = { device: async ({ driver, x }) => { await driver.attempt(x, 0) } }

export const b13: Claim = {
  id: 'B13',
  title: 'Who replaces an entry by a migration entry takes its dirty bit over to the page',
  source: 'mm/migrate_device.c: copy pte dirty bit to page',
  says: `That a page was written to is first known by its entry only. A migration entry has no such bit, so it goes to the page, as in every other place that takes a page out of an entry. If it is dropped, the page arrives, with all that was written, and as clean: the copy in swap is taken for good. Nothing
is wrong until memory is short. Then the page is freed without being written, and the next fault reads what swap had before.

In Linux most such pages have no copy in swap, and those that have are not moved to a device, so it takes a migration that fails; its end is the same, and here the page may as well arrive.`,
  variants: [
    variant('right', 'the bit goes to the page, for which a device asks', 'pass', swapping(SwapWorld, wanted)),
    variant('a', 'the bit goes with the entry', 'DATA', swapping(DropsDirty)),
  ],
}
