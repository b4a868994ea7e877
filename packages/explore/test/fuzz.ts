import { parseArgs } from 'node:util'
import { disagreement } from './agree.ts'

const { values } = parseArgs({ options: { programs: { type: 'string', default: '10000' }, from: { type: 'string', default: '1' } } })
const [from, programs] = [Number(values.from), Number(values.programs)]
let large = 0
for (let seed = from; seed < from + programs; seed++) {
  const found = await disagreement(seed, { limit: 3000 })
  if (found === 'too large') large++
  else if (found !== undefined) {
    console.error(found)
    process.exitCode = 1
  }
  if (seed % 500 === 0) console.log(`${seed - from + 1} programs, ${large} too large to compare`)
}
console.log(`${programs} programs, ${large} too large to compare${process.exitCode ? '' : ', no disagreement'}`)
