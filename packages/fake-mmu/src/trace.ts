import type { DeviceAccess } from './entry.ts'
import type { FakeMmu } from './fake-mmu.ts'

declare module '@mmu-notifier/kernel' {
  interface TraceEvents {
    /** An entry of the device page table changed; 0 is none. */
    'mmu:entry': [mmu: FakeMmu, page: number, before: number, after: number]
    /** An entry of the TLB came or went; 0 is none. */
    'mmu:tlb': [mmu: FakeMmu, page: number, before: number, after: number]
    /** The TLB was flushed; accesses in flight may still have to end. */
    'mmu:flush': [mmu: FakeMmu, interval: { readonly start: number; readonly last: number }]
    /** An access could not be translated, and stalls. */
    'mmu:fault': [mmu: FakeMmu, page: number, access: DeviceAccess]
    'mmu:replay': [mmu: FakeMmu]
    'mmu:cancel': [mmu: FakeMmu, page: number, access: DeviceAccess]
  }
}
