import { explore, type Exploration } from '@mmu-notifier/explore'
import { asExpected, type Claim, type Variant } from './claim.ts'

/** How many schedules a wrong variant may take until it fails. */
export const SCHEDULES = 1000

/** A right variant has no more traces than this. */
const TRACES = 400_000

/** One line of the table. */
export interface Row {
  readonly name: string
  readonly expect: string
  readonly verdict: Exploration['verdict']
  /** The code of the failure. */
  readonly oracle: string | undefined
  /** All of them, of a variant that passes; until the failure, of one that does not. */
  readonly traces: number
  /** The token of the minimised schedule: for `mmu-notifier claims ID --show NAME --replay`. */
  readonly schedule: string | undefined
  /** How many switches of tasks it has that the default schedule has not. */
  readonly switches: number | undefined
  readonly ok: boolean
  readonly exploration: Exploration
}

/** Explores one variant: a right one exhaustively, a wrong one by the portfolio until it fails. */
export async function runVariant(variant: Variant): Promise<Row> {
  const { name, expect, scenario, lockdep = true } = variant
  const exploration = await explore(scenario, expect === 'pass' ? { strategy: 'dpor', budget: TRACES, lockdep } : { budget: SCHEDULES, lockdep })
  const { verdict, counterexample, executions, traces } = exploration
  return {
    name,
    expect: typeof expect === 'string' ? expect : expect.join(' or '),
    verdict,
    oracle: counterexample?.code,
    traces: traces ?? executions,
    schedule: counterexample?.token,
    switches: counterexample?.deviations.length,
    ok: asExpected(variant, exploration),
    exploration,
  }
}

export async function runClaim({ variants }: Claim): Promise<Row[]> {
  const rows: Row[] = []
  for (const variant of variants) rows.push(await runVariant(variant))
  return rows
}
