import { choiceOf, type Choice } from './director.ts'
import { item } from './item.ts'
import type { Trace } from './trace.ts'

/**
 * The same execution up to the order of steps that commute, with few switches: each task goes on while the steps that have to come first are done, then the
 * first task that can.
 * @returns the choices, by step
 */
export function linearise(trace: Trace): Choice[] {
  const tasks = [...new Set(trace.events.map(({ task }) => task))].sort((a, b) => a - b)
  const done = new Map(tasks.map((task) => [task, 0]))
  const ready = (task: number): boolean => {
    const next = trace.nth(task, done.get(task) ?? 0)
    if (next < 0) return false
    const needed = trace.clocks.row(next)
    return tasks.every((other) => other === task || (done.get(other) ?? 0) >= item(needed, other))
  }
  const order: Choice[] = []
  let last: number | undefined
  while (order.length < trace.length) {
    last = last !== undefined && ready(last) ? last : (tasks.find(ready) ?? -1)
    const count = done.get(last) ?? 0
    order.push(choiceOf(last, item(trace.events, trace.nth(last, count)).way))
    done.set(last, count + 1)
  }
  return order
}
