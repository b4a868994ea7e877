import { readFileSync } from 'node:fs'

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

/**
 * What the cores had to do since the machine started, and how much of that time a hypervisor gave to others: it counts as CPU time of whoever was running. In ticks; zeros where
 * nobody says (not Linux).
 */
export function coreTime() {
  try {
    const [, user, nice, system, , , irq, softirq, stolen] = readFileSync('/proc/stat', 'utf8').split(/\s+/, 9).map(Number)
    return { busy: user + nice + system + irq + softirq + stolen, stolen }
  } catch {
    return { busy: 0, stolen: 0 }
  }
}
