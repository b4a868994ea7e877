import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compiledText, trace } from './both.ts'
import { randomModule } from './random-async.ts'

test('a random async function does the same, compiled', { timeout: 600_000 }, async () => {
  let awaited = 0
  await fc.assert(
    fc.asyncProperty(randomModule, async (code) => {
      const native = await trace(code)
      expect(await trace(compiledText(code))).toEqual(native)
      awaited += native.filter((event) => event === '.').length
    }),
    { numRuns: Number(process.env['COMPILE_RUNS'] ?? 60) },
  )
  expect(awaited).toBeGreaterThan(60)
})
