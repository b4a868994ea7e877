/** CPU time of this process in microseconds, collector and compiler threads included. */
export function cpu() {
  const { user, system } = process.cpuUsage()
  return user + system
}

/**
 * @template T
 * @param {() => Promise<T>} work
 */
export async function measure(work) {
  const before = cpu()
  const result = await work()
  return { result, time: cpu() - before }
}

/**
 * A loop of integer operations that needs no memory. Its time tells how much of a core there is just now: where somebody else's thread shares the units of the core, or its clock is slowed, it takes
 * up to twice as long, and so does all other code. No clock of the system knows of that.
 * @returns microseconds of CPU time, and what the loop has left, so that no compiler drops it
 */
export function spin() {
  const before = cpu()
  let a = 1
  let b = 2
  let c = 3
  let d = 4
  for (let i = 0; i < 200_000; i++) {
    a = (a + (i ^ b)) | 0
    b = (b + Math.imul(c, 3)) | 0
    c ^= a >>> 3
    d = (d + b) | 0
  }
  return { time: cpu() - before, left: a ^ d }
}

/** @param {number[]} values */
export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]
