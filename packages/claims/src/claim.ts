import type { Exploration, Scenario } from '@mmu-notifier/explore'

/**
 * What finds a wrong variant, by the names of the specification. `HANG`: somebody sleeps and nothing can wake him, in a cycle of waits or not. `MISS`: the device maps what no
 * interval covers. `QUIESCENT`: at rest the sequence is odd, or something is deferred. `EXACTLY_ONCE`: release was called twice. `DATA`: what a page holds is lost, or
 * is somebody else's. `REFUSED`: an access or a request that has to succeed fails, or is done by half.
 */
export type Oracle =
  'STALE' | 'MISS' | 'UAF' | 'CORRUPT' | 'DEADLOCK' | 'HANG' | 'LOCKDEP' | 'LEAK' | 'QUIESCENT' | 'EXACTLY_ONCE' | 'REFCOUNT' | 'WARN' | 'RACE' | 'INVARIANT' | 'DATA' | 'REFUSED'

/** The codes of failures that an oracle accepts, where it has not one of its own name. */
const CODES: Partial<Record<Oracle, readonly string[]>> = {
  HANG: ['DEADLOCK', 'LOST_WAKEUP', 'LIVELOCK'],
}

export interface Variant {
  /** `right`, or the letter or short name of the specification. */
  readonly name: string
  /** What it does, in a sentence: for a wrong variant how it differs from the right one. */
  readonly does: string
  /** `pass`: every interleaving is right. Otherwise the oracles of which one has to fire. */
  readonly expect: 'pass' | Oracle | readonly Oracle[]
  readonly scenario: Scenario
  /** False where the order of locks is not to be checked, so that the deadlock itself is seen. */
  readonly lockdep?: boolean
  /** False where a right variant breaks an invariant of the core, and is right all the same. */
  readonly invariants?: boolean
}

/** A claim of the thread, a bug of a posted version, or one that was fixed somewhere: as an experiment. */
export interface Claim {
  /** `C16`, `V3`, `B40`, `MAIN-1`. */
  readonly id: string
  readonly title: string
  /** Where it comes from: `mail`, `derived`, or the title of the commit that fixed it. */
  readonly source: string
  /** What is claimed, and why, in our own words: one or more paragraphs of Markdown. */
  readonly says: string
  /** Right variants first. */
  readonly variants: readonly Variant[]
}

/** A variant of it whose scenario has a state of its own. */
export function variant<State>(name: string, does: string, expect: Variant['expect'], scenario: Scenario<State>, options: Pick<Variant, 'lockdep' | 'invariants'> = {}): Variant {
  return { name, does, expect, scenario: scenario as Scenario, ...options }
}

/** Whether what an exploration came to is what the variant expects. */
export function asExpected({ expect }: Variant, { verdict, counterexample }: Exploration): boolean {
  if (expect === 'pass') return verdict === 'exhausted'
  const oracles = typeof expect === 'string' ? [expect] : expect
  return verdict === 'failed' && oracles.some((oracle) => (CODES[oracle] ?? [oracle]).includes(counterexample?.code ?? ''))
}
