/*
 * An entry of the device page table and of the TLB: frame << 4 | bits; 0 is none. The bits are those of the pages that `rangeFault`
 * returns.
 */

/** The device may read through it. */
export const ENTRY_VALID = 1
/** The device may write through it. */
export const ENTRY_WRITE = 2

/** How the device wants to use a page. */
export type DeviceAccess = 'read' | 'write'

export const ACCESSES: readonly DeviceAccess[] = ['read', 'write']

export function entryFrame(entry: number): number {
  return entry >> 4
}

export function permits(entry: number, access: DeviceAccess): boolean {
  return (entry & (access === 'write' ? ENTRY_WRITE : ENTRY_VALID)) !== 0
}
