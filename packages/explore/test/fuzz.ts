import { parseArgs } from 'node:util'
import { disagreement } from './agree.ts'
import { SHAPES } from './random-program.ts'

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    limit: { type: 'string', default: '3000' },
    shape: { type: 'string', default: 'mixed' },
    /** Take what a reversed update did for what it would do. */
    unpredicted: { type: 'boolean', default: false },
  },
})
const [from, programs, limit] = [Number(values.from), Number(values.programs), Number(values.limit)]
const shape = SHAPES[values.shape]
if (!shape) throw new RangeError(`--shape: expected one of ${Object.keys(SHAPES).join(', ')}`)
let large = 0
let wrong = 0
for (let seed = from; seed < from + programs; seed++) {
  const found = await disagreement(seed, { limit, shape, ...(values.unpredicted && { prediction: (event) => event }) })
  if (found === 'too large') large++
  else if (found !== undefined) {
    console.error(found)
    wrong++
  }
  if (seed % 500 === 0) console.log(`${values.shape}: ${seed - from + 1} programs, ${large} too large to compare`)
}
console.log(`${values.shape}: ${programs} programs, ${large} too large to compare, ${wrong === 0 ? 'no disagreement' : `${wrong} disagreements`}`)
if (wrong > 0) process.exitCode = 1
