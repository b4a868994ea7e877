import { explore, replay, type Counterexample, type Exploration } from '@mmu-notifier/explore'
import { asExpected, type Claim, type Variant } from './claim.ts'
import { watched } from './watched.ts'

/** How many schedules a wrong variant may take until it fails. */
export const SCHEDULES = 1000

/** A right variant has no more traces than this. */
const TRACES = 400_000

/** One line of the table: plain data. */
export interface Row {
  readonly name: string
  readonly expect: string
  readonly verdict: Exploration['verdict']
  /** The code of the failure. */
  readonly oracle: string | undefined
  /** All of them, of a variant that passes; schedules until the failure, of one that does not. */
  readonly traces: number
  /** The token of the minimised schedule, for {@link replayVariant}. */
  readonly schedule: string | undefined
  /** How many switches of tasks it has that the default schedule has not. */
  readonly switches: number | undefined
  readonly ok: boolean
  /** For a person. */
  readonly report: string
  readonly counterexample: Counterexample | undefined
}

/** Explores one variant: a right one exhaustively, with the invariants attached; a wrong one by the portfolio until it fails. */
export async function runVariant(variant: Variant): Promise<Row> {
  const { name, expect, scenario, lockdep = true } = variant
  const exploration =
    expect === 'pass' ? await explore(watched(variant), { strategy: 'dpor', budget: TRACES, lockdep }) : await explore(scenario, { budget: SCHEDULES, lockdep })
  const { verdict, counterexample, executions, traces, report } = exploration
  return {
    name,
    expect: typeof expect === 'string' ? expect : expect.join(' or '),
    verdict,
    oracle: counterexample?.code,
    traces: traces ?? executions,
    schedule: counterexample?.token,
    switches: counterexample?.deviations.length,
    ok: asExpected(variant, exploration),
    report,
    counterexample: counterexample && { ...counterexample, error: undefined },
  }
}

export async function runClaim({ variants }: Claim): Promise<Row[]> {
  const rows: Row[] = []
  for (const variant of variants) rows.push(await runVariant(variant))
  return rows
}

/** Runs the schedule that {@link Row.schedule} stands for. EINVAL for a text that is none, or that of another variant. */
export function replayVariant(variant: Variant, token: string): Promise<Counterexample | undefined> {
  const { scenario, expect, lockdep = true } = variant
  return replay(expect === 'pass' ? watched(variant) : scenario, token, { lockdep })
}
