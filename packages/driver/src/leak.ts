import { hex } from '@mmu-notifier/core'
import type { FakeMmu } from '@mmu-notifier/fake-mmu'
import type { Mm } from '@mmu-notifier/mm'
import { throwViolation, type Report } from './oracle.ts'

/**
 * The LEAK oracle, when every device of `mm` has been detached: they map nothing, and no notifier waits for a reference that nobody gives
 * back.
 */
export function checkLeaks(mm: Mm, mmus: readonly FakeMmu[], report: Report = throwViolation): void {
  for (const mmu of mmus) {
    const leaked = (page: number, where: string): void => {
      report({ oracle: 'LEAK', page, message: `LEAK  page ${hex(page)} is still in the ${where} of ${mmu.name} after detach` })
    }
    mmu.pageTable.forEachInRange(0, mmu.pageTable.limit, (page) => { leaked(page, 'page table') })
    mmu.tlb.forEach((page) => { leaked(page, 'TLB') })
  }
  const left = mm.notifiers.outstanding
  if (left > 0) report({ oracle: 'LEAK', page: undefined, message: `LEAK  ${left} notifiers of ${mm.name} are left after every device was detached` })
}
