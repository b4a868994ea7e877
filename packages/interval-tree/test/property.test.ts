import fc from 'fast-check'
import { it } from 'vitest'
import { Twin } from './twin.ts'

/** Narrow bounds make equal starts and overlaps common; wide ones reach the end of the safe integers. */
const bound = fc.oneof({ weight: 5, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.maxSafeNat() })
const interval = fc.tuple(bound, bound).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('insert'), interval }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('remove'), interval, index: fc.nat(1000) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('query'), interval, index: fc.nat(1000) }) },
)

it('answers as a sorted array does, after any operations', () => {
  fc.assert(
    fc.property(fc.array(interval, { maxLength: 80 }), fc.array(step, { maxLength: 120, size: 'max' }), (before, steps) => {
      const twin = new Twin()
      for (const [start, last] of before) twin.insert(start, last)
      for (const { op, interval: [start, last], ...rest } of steps) {
        const index = 'index' in rest ? rest.index : 0
        if (op === 'insert') twin.insert(start, last)
        else if (op === 'remove') twin.remove(index)
        else {
          twin.query(start, last)
          twin.queryBehind(index, start, last)
        }
        twin.tree.validate()
      }
      twin.check()
    }),
    { numRuns: 200 },
  )
})
