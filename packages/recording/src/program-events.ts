import type { InvalidateEvent, IntervalNotifierOps } from '@mmu-notifier/core'
import { PAGE_SIZE, type Access, type FaultedBy } from '@mmu-notifier/mm'
import type { ProgramMachine } from './program-machine.ts'
import type { Json } from './program.ts'

const EVENTS: Readonly<Record<InvalidateEvent, string>> = {
  unmap: 'UNMAP', clear: 'CLEAR', protectionVma: 'PROTECTION_VMA', protectionPage: 'PROTECTION_PAGE', softDirty: 'SOFT_DIRTY', release: 'RELEASE',
  migrate: 'MIGRATE', exclusive: 'EXCLUSIVE',
}
/** FAULT_FLAG_ bits of a read: USER | INTERRUPTIBLE | KILLABLE | ALLOW_RETRY; REMOTE; KILLABLE | ALLOW_RETRY. */
const FAULT_FLAGS: Readonly<Record<FaultedBy, number>> = { cpu: 596, remote: 128, populate: 20 }
const FAULT_FLAG_WRITE = 1
/** HMM_PFN_REQ_FAULT and HMM_PFN_REQ_WRITE, the upper byte of 64 bits. */
const RANGE_FLAGS = { snapshot: 0, read: 128, write: 192 } as const

const EVERYTHING = { start: 0, last: Number.MAX_SAFE_INTEGER }
/** The recorder's own notifier, so that every invalidation freezes the tree, and counts. */
const OPS: IntervalNotifierOps = {
  async invalidate(notifier, _, seq) {
    await notifier.setSeq(seq)
    return true
  },
}

/** What happens inside the kernel on behalf of the process, in order: the field `ev`. */
export class EventLog {
  readonly #machine: ProgramMachine
  #events: Json[] = []

  constructor(machine: ProgramMachine) {
    this.#machine = machine
  }

  async start(): Promise<void> {
    const { kernel, mm, header } = this.#machine
    const devices = (owner: unknown): number | null => (owner === undefined ? null : this.#machine.deviceIndex(owner))
    const page = (address: number): number => (address - header.base) / PAGE_SIZE
    await mm.notifiers.insert(EVERYTHING, OPS)
    kernel.on('mmu_notifier:range_start', ({ start, end, event, owner }, subscriptions) => {
      if (subscriptions === mm.notifiers) this.#events.push(['S', EVENTS[event], page(start), page(end), devices(owner), mm.notifiers.seq])
    })
    kernel.on('mmu_notifier:range_end', ({ start, end, event }, subscriptions) => {
      if (subscriptions === mm.notifiers) this.#events.push(['E', EVENTS[event], page(start), page(end)])
    })
    kernel.on('mm:fault', (faulted, address, access: Access, by) => {
      if (faulted === mm) this.#events.push(['F', page(address), FAULT_FLAGS[by] | (access === 'write' ? FAULT_FLAG_WRITE : 0)])
    })
    kernel.on('mm:range_fault', (asked, start, end, access) => {
      if (asked === mm) this.#events.push(['H', page(start), page(end), RANGE_FLAGS[access]])
    })
  }

  clear(): void {
    this.#events = []
  }

  /** What came since the last call. */
  take(): Json[] {
    const events = this.#events
    this.#events = []
    return events
  }
}
