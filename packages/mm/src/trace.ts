import type { Mm } from './mm.ts'

declare module '@mmu-notifier/kernel' {
  interface TraceEvents {
    /** A frame is given out. */
    'mm:frame_alloc': [frame: number]
    /** The last reference to a frame is gone, and it was not given out again yet: the moment at which no device may map it any more. */
    'mm:frame_free': [frame: number]
    /** A page fault is handled. `address` is that of the page. */
    'mm:fault': [mm: Mm, address: number, access: 'read' | 'write' | 'execute']
  }
}
