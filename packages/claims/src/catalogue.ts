import type { Claim } from './claim.ts'
import { c16 } from './claims/c16.ts'

/** Every claim, in the order of the specification: the thread's, the bugs of its posted versions, what the model found, the field's. */
export const CLAIMS: readonly Claim[] = [c16]

/** By id, in whatever case. */
export function findClaim(id: string): Claim | undefined {
  return CLAIMS.find((claim) => claim.id.toLowerCase() === id.toLowerCase())
}
