import { expect, test } from 'vitest'
import { disagreement } from './agree.ts'
import { SHAPES } from './random-program.ts'

test.each(Object.entries(SHAPES))('all interleavings, sleep sets, source-DPOR and optimal DPOR agree on random programs: %s', async (_name, shape) => {
  let compared = 0
  for (let seed = 1; seed <= 80; seed++) {
    const found = await disagreement(seed, { limit: 1000, shape })
    if (found === 'too large') continue
    expect(found).toBeUndefined()
    compared++
  }
  expect(compared).toBeGreaterThan(20)
})
