import type { Scenario } from './scenario.ts'

/** @returns what is wrong with what is to be a scenario: undefined when it is one */
export function whyNoScenario(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return `expected an object { setup, tasks, check? }, got ${kindOf(value)}`
  const { setup, tasks, check } = value as Partial<Record<keyof Scenario, unknown>>
  if (typeof setup !== 'function') return `setup: expected a function, got ${kindOf(setup)}`
  if (typeof tasks !== 'object' || tasks === null) return `tasks: expected an object with a function for each task, got ${kindOf(tasks)}`
  const bodies = Object.entries(tasks)
  if (bodies.length === 0) return 'tasks: expected at least one task'
  for (const [name, body] of bodies) if (typeof body !== 'function') return `tasks.${name}: expected a function, got ${kindOf(body)}`
  return check === undefined || typeof check === 'function' ? undefined : `check: expected a function, got ${kindOf(check)}`
}

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? 'an object' : typeof value === 'string' ? JSON.stringify(value) : `a ${typeof value}`
}
