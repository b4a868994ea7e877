import './trace.ts'

export type { AccessSignal } from './access.ts'
export * from './constants.ts'
export { DevicePages, type DeviceMemoryKind, type DevicePageFault, type DevicePagesOps } from './device-pages.ts'
export { errno, signalOf, type AccessFault, type Errno, type Signal } from './errno.ts'
export type { ExclusivePages } from './exclusive.ts'
export type { Access, FaultedBy } from './fault.ts'
export type { FileKind, FileOptions, VmFile } from './file.ts'
export { ZERO_FRAME, type FrameTable, type ReverseMap } from './frames.ts'
export { PhysicalMemory, type PhysicalMemoryOptions, type TransparentHugepage } from './memory.ts'
export {
  MIGRATE_PFN_MIGRATE, MIGRATE_PFN_SHIFT, MIGRATE_PFN_WRITE, migrateDeviceRange, type Migration, type MigrateVmaRequest,
} from './migrate.ts'
export type { Mm } from './mm.ts'
export { PageTable, X86_64_LEVELS, type PageTableOptions } from './page-table.ts'
export {
  frameOf, PTE_DEVICE_EXCLUSIVE, PTE_DEVICE_PRIVATE, PTE_EXCLUSIVE, PTE_HUGE, PTE_MIGRATION, PTE_PRESENT, PTE_PROTNONE,
  PTE_SWAP_WRITE, PTE_WRITE, isHuge, specialKind, wasWritable,
} from './pte.ts'
export type { PinnedPages, PinOptions } from './pin.ts'
export {
  PFN_ERROR, PFN_HUGE, PFN_SHIFT, PFN_VALID, PFN_WRITE, type FaultedPages, type RangeAccess, type RangeFaultRequest,
} from './range-fault.ts'
export type { UnlockedOptions, UnlockedPages } from './range-fault-unlocked.ts'
export type { UserfaultMessage } from './userfault-queue.ts'
export type { Userfaultfd, UserfaultOptions } from './userfaultfd.ts'
export type { Vma } from './vma.ts'
