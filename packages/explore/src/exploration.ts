import { MmuNotifierError } from '@mmu-notifier/kernel'
import type { Counterexample } from './counterexample.ts'
import type { Shard } from './shard.ts'

/** What an exploration came to: plain data, but for the error that was thrown. */
export interface Exploration {
  /** `exhausted`: no execution, in whatever order, fails. `sampled`: those that were run do not. Of a shard: of those that are its part. */
  readonly verdict: 'exhausted' | 'sampled' | 'failed'
  /** What was completed, or what found the failure. */
  readonly by: string
  /** Executions, all together. */
  readonly executions: number
  /**
   * When exhausted: how many executions there are that differ in more than the order of steps that commute. Without those that `assume` dropped. Of several shards
   * together: at most so many, since some may have been run by more than one.
   */
  readonly traces: number | undefined
  /** Executions that an exhausting strategy gave up because they would have repeated another one. */
  readonly blocked: number
  /** Executions that `assume` dropped. */
  readonly dropped: number
  /** Four hex digits that change with the scenario. */
  readonly fingerprint: string
  /** Which part of the whole this was; undefined for the whole. */
  readonly shard: Shard | undefined
  /** When failed. */
  readonly counterexample: Counterexample | undefined
  /** All of this for a person to read. */
  readonly report: string
}

/** `assume` has dropped every execution. Of a shard that is told by what the others come to: {@link merge}. */
export function checksNothing({ verdict, executions, blocked, dropped, shard }: Exploration): boolean {
  return verdict !== 'failed' && shard === undefined && dropped > 0 && dropped + blocked === executions
}

/** The line that sums up an exploration without a failure. */
export function summary({ verdict, by, executions, traces, blocked, dropped, shard }: Omit<Exploration, 'report' | 'fingerprint' | 'counterexample'>, parts = 1): string {
  const facts = [
    ...(traces === undefined ? [] : [`${parts > 1 ? 'at most ' : ''}${traces} traces`]),
    `${executions} executions`,
    ...(blocked > 0 ? [`${blocked} blocked`] : []),
    ...(dropped > 0 ? [`${dropped} dropped by assume`] : []),
  ]
  return `${verdict}${shard ? ` (shard ${shard.index + 1}/${shard.count})` : ''}: ${facts.join(', ')}; ${by}`
}

/**
 * Adds up what the shards of one exploration came to. `exhausted` only if every one of them is there, and is; `failed` if any is.
 * @throws EINVAL for explorations that are no shards of one, or the same one twice
 */
export function merge(explorations: readonly Exploration[]): Exploration {
  const [first] = explorations
  const invalid = (what: string): MmuNotifierError => new MmuNotifierError('EINVAL', `EINVAL  merge: ${what}`)
  if (!first) throw invalid('expected at least one exploration')
  const count = first.shard?.count ?? 1
  const seen = new Set<number>()
  for (const { shard, fingerprint } of explorations) {
    if (fingerprint !== first.fingerprint) throw invalid(`the fingerprints ${first.fingerprint} and ${fingerprint} are of different scenarios`)
    if ((shard?.count ?? 1) !== count) throw invalid(`expected shards of ${count}, got one of ${shard?.count ?? 1}`)
    const index = shard?.index ?? 0
    if (seen.has(index)) throw invalid(`shard ${index + 1}/${count} is there twice`)
    seen.add(index)
  }
  const total = (of: (exploration: Exploration) => number): number => explorations.reduce((sum, exploration) => sum + of(exploration), 0)
  const counts = { executions: total((e) => e.executions), blocked: total((e) => e.blocked), dropped: total((e) => e.dropped) }
  const failed = explorations.find(({ verdict }) => verdict === 'failed')
  const { fingerprint } = first
  if (failed) return { ...failed, ...counts, fingerprint, shard: undefined }
  const exhausted = seen.size === count && explorations.every(({ verdict }) => verdict === 'exhausted')
  const missing = Array.from({ length: count }, (_, i) => i).filter((index) => !seen.has(index))
  const merged = {
    ...counts,
    verdict: exhausted ? ('exhausted' as const) : ('sampled' as const),
    by: missing.length > 0 ? `${seen.size} of ${count} shards; missing: ${missing.map((index) => index + 1).join(', ')}` : [...new Set(explorations.map(({ by }) => by))].join(', '),
    traces: exhausted ? total(({ traces }) => traces ?? 0) : undefined,
    fingerprint,
    shard: undefined,
    counterexample: undefined,
  }
  return { ...merged, report: summary(merged, count) }
}
