import { PAGE_SIZE } from './constants.ts'

/** The next multiple of `size`, a power of two, from `address` on. */
export function alignUp(address: number, size: number = PAGE_SIZE): number {
  return Math.ceil(address / size) * size
}

/** The last multiple of `size`, a power of two, up to `address`. */
export function alignDown(address: number, size: number = PAGE_SIZE): number {
  return Math.floor(address / size) * size
}

export function isAligned(address: number, size: number = PAGE_SIZE): boolean {
  return alignDown(address, size) === address
}
