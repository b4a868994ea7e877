import type { Scenario } from '@mmu-notifier/explore'
import { MmuNotifierError, type Cell, type Kernel } from '@mmu-notifier/kernel'
import { variant, type Claim } from '../claim.ts'
import { TlbWorld } from '../tlb-world.ts'
import { at } from '../world.ts'
import { worldStage, type WorldStage } from '../world-stage.ts'

/** What an entry is while its page is on its way. */
const MIGRATION = -1

/** A page is moved while a CPU that has it in its TLB writes to it. Who finds no page present has nothing to flush. */
class MigratingWorld extends TlbWorld {
  /** By frame: what it holds. */
  readonly data: readonly Cell<number>[] = this.frames.map((_, frame) => this.kernel.cell(`data of frame ${frame}`, 0))
  /** The last value that a CPU has written. */
  readonly written: Cell<number> = this.kernel.cell('written', 0)

  /** A CPU writes, if its page is there. */
  async store(page: number, value: number): Promise<void> {
    await this.access(page, (frame) => {
      this.kernel.note(() => `CPU: writes ${value} to frame ${frame}`)
      at(this.data, frame).value = value
      this.written.value = value
    })
  }

  async migrate(page: number): Promise<void> {
    let from = 0
    await this.notifiers.invalidate({ ...this.rangeOf(page), event: 'migrate' }, async () => { from = await this.collect(page) })
    if (from === 0) return
    const to = page + 1 + this.pages
    await this.copy(page, from, to)
    const moved = await this.ptl.section(() => {
      const entry = this.entry(page)
      const waits = entry.value === MIGRATION
      if (waits) entry.value = to
      this.kernel.note(() => (waits ? `page table: page ${page} -> frame ${to}` : `page table: page ${page} is gone`))
      return waits
    })
    await this.free(from)
    if (!moved) await this.free(to)
  }

  /** Makes the entry a migration entry. @returns the frame, 0 when there was none */
  protected async collect(page: number): Promise<number> {
    await this.ptl.lock()
    const from = await this.unmapFor(page)
    await this.flush(page)
    await this.ptl.unlock()
    return from
  }

  protected async unmapFor(page: number): Promise<number> {
    const from = await this.entry(page).update((held) => (held > 0 ? MIGRATION : held))
    this.kernel.note(() => `page table: page ${page} -> ${from > 0 ? 'migration entry' : 'nothing still'}`)
    return Math.max(0, from)
  }

  protected async copy(_page: number, from: number, to: number): Promise<void> {
    const value = await at(this.data, from).read()
    await at(this.data, to).write(value)
    this.kernel.note(() => `copies ${value} to frame ${to}`)
  }

  /** STALE when the CPU reaches the page afterwards. Linux: `madvise(MADV_DONTNEED)` */
  async dontNeed(page: number): Promise<void> {
    await this.unmap(page, page, 'clear')
    await this.tlbEntry(page).update((held) => {
      this.kernel.note(() => 'madvise returns')
      if (held !== 0) throw new MmuNotifierError('STALE', `STALE  madvise has returned, and the CPU still reads page ${page} by its TLB`)
      return held
    })
  }

  protected override async take(first: number, last: number): Promise<number[]> {
    const frames = await this.clearEntries(first, last)
    if (frames.length > 0) await this.flush(first, last)
    return frames
  }

  protected override nameOf(frame: number): string {
    return frame === MIGRATION ? 'migration entry' : super.nameOf(frame)
  }

  /** DATA: what was written last is not what the page holds. For `check`. */
  kept(page: number): void {
    const frame = this.entry(page).value
    if (frame <= 0 || at(this.data, frame).value === this.written.value) return
    throw new MmuNotifierError('DATA', `DATA  page ${page} holds ${at(this.data, frame).value}, and ${this.written.value} was written to it`)
  }
}

/** Flushes when the page-table lock was given back. */
class FlushesUnlocked extends MigratingWorld {
  protected override async collect(page: number): Promise<number> {
    await this.ptl.lock()
    const from = await this.unmapFor(page)
    await this.ptl.unlock()
    await this.flush(page)
    return from
  }
}

/** Flushes when the page was copied. */
class FlushesAfterCopy extends MigratingWorld {
  protected override async collect(page: number): Promise<number> {
    await this.ptl.lock()
    const from = await this.unmapFor(page)
    await this.ptl.unlock()
    return from
  }

  protected override async copy(page: number, from: number, to: number): Promise<void> {
    await super.copy(page, from, to)
    await this.flush(page)
  }
}

type Tasks = Scenario<WorldStage<MigratingWorld>>['tasks']

/** A page is migrated while a CPU writes to it, and somebody does something else with it. */
function migrating(world: new (kernel: Kernel) => MigratingWorld, writes: Tasks, other: Tasks): Scenario<WorldStage<MigratingWorld>> {
  return worldStage(
    (kernel) => new world(kernel),
    {
      ...writes,
      migration: (state) => state.world.migrate(0),
      ...other,
    },
    (state) => { state.kept(0) },
  )
}

/** The CPU writes twice. */
const written: Tasks = {
  async cpu(state) {
    await state.world.store(0, 1)
    await state.world.store(0, 2)
  },
}

/** The process says that it does not need the page. */
const unneeded: Tasks = { madvise: (state) => state.world.dontNeed(0) }

/** A device asks for it. */
const wanted: Tasks = { device: async ({ driver, x }) => { await driver.attempt(x, 0) } }

/** The CPU writes, and has a device ask for it. */
const handed: Tasks = {
  async device({ world, driver, x }) {
    await world.store(0, 1)
    await driver.attempt(x, 0)
  },
}

export const b12: Claim = {
  id: 'B12',
  title: 'Migration flushes the TLB of the CPU under the page-table lock, and so before it copies',
  source: 'mm/migrate_device.c: flush TLB while holding PTL',
  says: `An entry that was made a migration entry is still in the TLBs. If that is flushed later, somebody else finds the entry under the lock, concludes that nothing is mapped there and that there is nothing to flush, and goes: \`madvise\` returns, and the process still reads the page that it has
given away. That is what the repair is about; the copy was not in danger there, for the flush, though late, came before it.

Where the flush comes after the copy, a CPU goes on writing to the old frame, and what it has written is lost.`,
  variants: [
    variant('right', 'the entry is changed and flushed in one section of the page-table lock', 'pass', migrating(MigratingWorld, handed, unneeded)),
    variant('right device', 'the same, with a device', 'pass', migrating(MigratingWorld, written, wanted)),
    variant('a', 'it is flushed when that lock was given back', 'STALE', migrating(FlushesUnlocked, written, unneeded)),
    variant('b', 'it is flushed when the page was copied', 'DATA', migrating(FlushesAfterCopy, written, wanted)),
  ],
}
