import { expect, test } from 'vitest'
import { disagreement } from './agree.ts'

test('all interleavings, sleep sets and optimal DPOR agree on random programs', { timeout: 120_000 }, async () => {
  let compared = 0
  for (let seed = 1; seed <= 300; seed++) {
    const found = await disagreement(seed, { limit: 1500 })
    if (found === 'too large') continue
    expect(found).toBeUndefined()
    compared++
  }
  expect(compared).toBeGreaterThan(200)
})
