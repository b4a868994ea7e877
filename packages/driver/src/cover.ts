import { hex, type IntervalNotifierOps } from '@mmu-notifier/core'
import type { Kernel } from '@mmu-notifier/kernel'
import { throwViolation, type Report } from './oracle.ts'
import type { WatchedTable } from './stale.ts'

/** A device's page table, and the ops of the intervals that are to cover it. */
export interface CoveredTable extends WatchedTable {
  readonly ops: IntervalNotifierOps
}

/**
 * The COVER oracle: each entry of a device lies in a live interval of its driver, or nobody would tell of changes. It looks when the tree has thawed and what was deferred is
 * applied, and at the end. What no interval covers nobody erases, so it is still there then.
 */
export class CoverOracle {
  readonly #report: Report
  readonly #tables = new Set<CoveredTable>()
  readonly #off: () => void

  /** Listens from now on. @param report default: throws */
  constructor(kernel: Kernel, report: Report = throwViolation) {
    this.#report = report
    this.#off = kernel.on('mmu_notifier:apply', () => { this.check() })
  }

  watch(table: CoveredTable): void {
    this.#tables.add(table)
  }

  /** Looks once more, and no longer. */
  unwatch(table: CoveredTable): void {
    this.#check(table)
    this.#tables.delete(table)
  }

  /** Looks now: where nothing races with it. */
  check(): void {
    for (const table of this.#tables) this.#check(table)
  }

  #check(table: CoveredTable): void {
    const { notifiers } = table.mm
    if (notifiers.seq % 2 !== 0) return
    const intervals = notifiers.intervals(table.ops)
    table.forEachInRange(0, Infinity, (page) => {
      if (intervals.some(({ start, last }) => start <= page && page <= last)) return
      this.#report({ oracle: 'COVER', page, message: `COVER  page ${hex(page)} is in the page table of ${table.name}, and no interval of its driver covers it` })
    })
  }

  /** Stops listening. */
  close(): void {
    this.#off()
  }
}
