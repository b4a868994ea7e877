import { HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL, HMM_DMIRROR_PROT_NONE } from '@mmu-notifier/driver-selftest'
import type { Fixture } from './fixture.ts'

/** What a snapshot has besides the rights of a page in the device's own memory. */
export function localBits(_: Fixture): number {
  return HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL
}

/** What a snapshot says of a writable page in the memory of the other device. */
export function otherDevice(_: Fixture): number {
  return HMM_DMIRROR_PROT_NONE
}

/** What a snapshot has besides the rights of a page that somebody has pinned for a moment. */
export function pinnedBits(_: Fixture): number {
  return 0
}

/** The CPU can reach pages in the memory of the device. */
export function isReachable(_: Fixture): boolean {
  return false
}
