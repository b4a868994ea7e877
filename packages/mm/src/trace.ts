import type { Access, FaultedBy } from './fault.ts'
import type { Mm } from './mm.ts'
import type { RangeAccess } from './range-fault.ts'

declare module '@mmu-notifier/kernel' {
  interface TraceEvents {
    /** A frame is given out. */
    'mm:frame_alloc': [frame: number]
    /** The last reference to a frame is gone, and it was not given out again yet: the moment at which no device may map it any more. */
    'mm:frame_free': [frame: number]
    /** A page fault is handled. `address` is that of the page. Linux: entry of `handle_mm_fault()`. */
    'mm:fault': [mm: Mm, address: number, access: Access, by: FaultedBy]
    /** A device asks for pages. Linux: entry of `hmm_range_fault()`. */
    'mm:range_fault': [mm: Mm, start: number, end: number, access: RangeAccess]
  }
}
