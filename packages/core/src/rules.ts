import { LockdepError, type Kernel, type LockMap } from '@mmu-notifier/kernel'

/** Stands for the callbacks of an invalidation and the wait for its end. Linux: `__mmu_notifier_invalidate_range_start_map`. */
export const RANGE_START_MAP = 'mmu_notifier_invalidate_range_start'

/**
 * The rules of the protocol that no order of lock classes expresses, asserted in the manner of lockdep: in every run, whether or not anything would have gone wrong in it.
 * What the mail asks for: "a lockdep style assertion that we are locked when doing it".
 */
export const RULES = {
  tree: 'find, batch and update are for who has locked that tree for read, until he unlocks it',
  wait: 'nobody waits for the end of a period that he keeps open',
  create: 'no interval is created in a callback but by range.tree.batch: create it where rangeFault is called',
  fault: 'no callback reads the CPU page tables: its own invalidation is changing them',
  mmput: 'no callback gives a user of an address space back: the last one tears it down, and calls back',
  unregister: 'no callback waits for callbacks',
} as const

export type Rule = keyof typeof RULES

/** @throws LOCKDEP when the current task is in a callback, of whatever address space */
export function assertNotInCallback(kernel: Kernel, rule: Rule, by: string): void {
  const held = kernel.current.held
  if (held.some(({ lockClass, mode }) => lockClass === RANGE_START_MAP && mode === 'write')) broken(kernel, rule, `${by} in a callback`, by)
}

/** @throws LOCKDEP when the current task keeps the period open that `map` stands for: it is in a callback, or holds the tree lock */
export function assertMayWait(kernel: Kernel, map: LockMap, by: string): void {
  const own = kernel.current.held.find(({ instance }) => instance === map)
  if (own) broken(kernel, 'wait', `${by} ${own.mode === 'read' ? 'under the tree lock' : 'in a callback'}`, by)
  map.acquire('write')
  map.release()
}

/** @param what completes "task … calls" */
export function broken(kernel: Kernel, rule: Rule, what: string, by: string): never {
  const { name, held } = kernel.current
  const chain = held.map(({ lockClass, mode }) => `${lockClass}${mode === 'read' ? ' (read)' : ''}`)
  throw new LockdepError(`task ${name} calls ${what}\n  rule: ${RULES[rule]}\n  chain: ${[...chain, by].join(' -> ')}`)
}
