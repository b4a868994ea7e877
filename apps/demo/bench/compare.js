/**
 * How many times as fast `mmu-notifier diff` is here as in another checkout of this repository, to a per cent or so.
 *
 *     npm run build                                                       in both
 *     npm run compare -w @mmu-notifier/demo -- CHECKOUT [PATH...]          the sample of the public set in fixtures/, or other programs
 *
 * A core that others use too is at half its speed for seconds or minutes, so both take turns program by program, in one process; see `spin` in measure.js.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { BenchProcess } from '../../../tools/bench-process.js'
import { fromCaller, programFiles } from './files.js'
import { SEQUENTIAL, YOUNG } from './flags.js'

const HERE = fileURLToPath(new URL('../../..', import.meta.url))
/** Operations of a round, at least. */
const ROUND = 20_000
const ROUNDS = 15

const [argument, ...paths] = process.argv.slice(2)
const other = fromCaller(argument ?? '.')
if (argument === undefined || !existsSync(join(other, 'apps/demo/dist/diff.js'))) {
  console.error(argument === undefined ? 'usage: npm run compare -w @mmu-notifier/demo -- CHECKOUT [PATH...]' : `${other} is no checkout that was built`)
  process.exit(2)
}
const files = await programFiles(paths)
const turns = new BenchProcess(new URL('compare-turns.js', import.meta.url), [HERE, other], [YOUNG, ...SEQUENTIAL])

/** Both versions of everything, `times` times. */
const round = (/** @type {number} */ times) => turns.ask({ files, times })

const { operations } = await round(1)
const times = Math.ceil(ROUND / operations)
for (let i = 0; i < 5; i++) await round(times) // compilers are at work
/** @type {{ run: number, all: number }[]} */
const ratios = []
for (let i = 0; i < ROUNDS; i++) {
  const { here, there } = await round(times)
  ratios.push({ run: there.running / here.running, all: (there.reading + there.running) / (here.reading + here.running) })
}
turns.end()

/** @param {'run' | 'all'} of */
const show = (of) => {
  const sorted = ratios.map((ratio) => ratio[of]).toSorted((a, b) => a - b)
  return `${sorted[ROUNDS >> 1].toFixed(3)}x   (quartiles ${sorted[ROUNDS >> 2].toFixed(3)}, ${sorted[ROUNDS - 1 - (ROUNDS >> 2)].toFixed(3)})`
}
console.log(`${operations} operations of ${files.length} programs, here against ${other}`)
console.log(`  run and compared                            ${show('run')}`)
console.log(`  files read, unzipped and parsed, too        ${show('all')}`)
