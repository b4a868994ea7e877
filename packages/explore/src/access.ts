import type { Access } from '@mmu-notifier/kernel'

/** How an event acts on one object, as a small integer, for {@link relation}. */
export const MODE: Readonly<Record<Exclude<Access, 'none'>, number>> = { read: 0, write: 1, acquire: 2, acquireShared: 3, release: 4, releaseShared: 5, downgrade: 6 }

/** The two events commute. */
export const COMMUTE = 0
/** They do not, and could have happened in the other order. */
export const RACE = 1
/** They do not, and the earlier one is what the later one had to wait for. */
export const ORDER = 2

/**
 * What holds between an earlier and a later event of two tasks on one object, by mode.
 *
 * An acquisition races with the acquisition before it, never with the release in between: before that release it could not have happened. A
 * trylock waits for nothing; one that failed is a `read`, one that succeeded a `write`.
 */
const RELATIONS: readonly (readonly number[])[] = [
  // later: read   write  acquire acquireShared release releaseShared downgrade
  /* read          */ [COMMUTE, RACE, ORDER, ORDER, RACE, RACE, RACE],
  /* write         */ [RACE, RACE, RACE, RACE, RACE, RACE, RACE],
  /* acquire       */ [RACE, RACE, RACE, RACE, RACE, RACE, RACE],
  /* acquireShared */ [RACE, RACE, RACE, COMMUTE, RACE, COMMUTE, RACE],
  /* release       */ [RACE, RACE, ORDER, ORDER, ORDER, ORDER, ORDER],
  /* releaseShared */ [RACE, RACE, ORDER, COMMUTE, ORDER, COMMUTE, ORDER],
  /* downgrade     */ [RACE, RACE, ORDER, ORDER, ORDER, ORDER, ORDER],
]
const TABLE = Uint8Array.from(RELATIONS.flat())

export function relation(earlier: number, later: number): number {
  return TABLE[7 * earlier + later] as number
}

/** True for a mode that conflicts with every other one: whatever came before it on the object happened before it. */
export function isBarrier(mode: number): boolean {
  return mode === MODE.write || mode === MODE.acquire
}

/** True for a mode in which an operation waits for the object to be free. */
export function waits(mode: number): boolean {
  return mode === MODE.acquire || mode === MODE.acquireShared
}

/** True for a mode that leaves the object other than it was, for whoever looks at it. */
export function alters(mode: number): boolean {
  return mode === MODE.write || mode === MODE.acquire || mode === MODE.release || mode === MODE.downgrade
}
