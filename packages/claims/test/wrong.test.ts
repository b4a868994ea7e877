import { describe, expect, test } from 'vitest'
import { CLAIMS, replayVariant, runVariant } from '../src/index.ts'

/* The right variants take minutes: `apps/demo/test/claims.test.ts` runs all, by the command line. CLAIMS=all runs them here, for the mutation test of the core. */
const ALL = process.env['CLAIMS'] === 'all'

describe.each(CLAIMS.map((claim) => [claim.id, claim.variants.filter(({ expect: expected }) => expected !== 'pass' || ALL)] as const))('%s', (_, variants) => {
  test.each(variants.map((variant) => [variant.name, variant] as const))('%s fails as it is said to, and its token repeats that', async (_name, variant) => {
    const { ok, report, schedule, oracle } = await runVariant(variant)
    expect(ok, report).toBe(true)
    if (schedule !== undefined) expect((await replayVariant(variant, schedule))?.code).toBe(oracle)
  })
})
