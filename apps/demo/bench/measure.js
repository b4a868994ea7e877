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

/** @param {number[]} values */
export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]
