import {
  HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL, HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE, HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL, HMM_DMIRROR_PROT_NONE, HMM_DMIRROR_PROT_WRITE,
} from '@mmu-notifier/driver-selftest'
import type { Fixture } from './fixture.ts'

/** The CPU can reach pages in the memory of the device. */
export function isReachable({ options }: Fixture): boolean {
  return options.device === 'coherent'
}

/** What a snapshot says of a writable page in the device's own memory. */
export function ownPage(t: Fixture): number {
  return HMM_DMIRROR_PROT_WRITE | (isReachable(t) ? HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL : HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL)
}

/** What a snapshot says of one in the memory of the other device: of what only that one can reach, nothing. */
export function othersPage(t: Fixture): number {
  return isReachable(t) ? HMM_DMIRROR_PROT_WRITE | HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE : HMM_DMIRROR_PROT_NONE
}

/** What a snapshot says of a page that was in the device's memory when somebody pinned it for a moment. */
export function pinnedPage(t: Fixture): number {
  return isReachable(t) ? ownPage(t) : HMM_DMIRROR_PROT_WRITE
}
