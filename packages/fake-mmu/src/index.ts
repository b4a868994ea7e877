import './trace.ts'

export { ENTRY_VALID, ENTRY_WRITE, entryFrame, type DeviceAccess } from './entry.ts'
export { FakeMmu, GP100_LEVELS, type FakeMmuOptions } from './fake-mmu.ts'
export type { DeviceFault } from './fault-buffer.ts'
