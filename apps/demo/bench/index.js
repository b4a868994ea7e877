/**
 * Speed and memory of the model.
 *
 *     npm run build && npm run bench -w @mmu-notifier/demo                 the sample of the public set in fixtures/, half a minute
 *     npm run bench -w @mmu-notifier/demo -- PATH...                       other programs: files or folders, by where npm is called
 *
 * All times are CPU time of this process, collector and compiler threads included.
 */
import process from 'node:process'
import { costByAreas } from './areas.js'
import { programFiles } from './files.js'
import { mirrorGigabyte } from './mirror.js'
import { runPrograms } from './programs.js'

const AREAS = [100, 1_000, 10_000, 100_000]

/** @param {string} title @param {string} value @param {string} [goal] */
const line = (title, value, goal = '') => { console.log(`${title.padEnd(52)}${value.padStart(16)}${goal.padStart(26)}`) }

const files = await programFiles(process.argv.slice(2))
const { operations, rate, best, first, whole, ratio, share, scaled } = await runPrograms(files)
line(`${operations} operations of ${files.length} programs, run and compared`, `${Math.round(rate)} /s`, 'goal: above 20000')
line('  the best round', `${Math.round(best)} /s`)
line('  the first time', `${Math.round(first)} /s`)
line('  files read, unzipped and parsed meanwhile', `${Math.round(whole)} /s`)
line('  against the same on promises', `${ratio.toFixed(2)}x`)
line('  the share of a core that there was, by a loop', share.toFixed(2))
line('  estimate for a whole core', `${Math.round(scaled)} /s`)

const { populate, read, munmap, tables, resident } = await mirrorGigabyte()
console.log('\na mirror of 1 GiB of 4 KiB pages without data')
line('  populate', `${Math.round(populate)} ns/page`)
line('  device read', `${Math.round(read)} ns/page`)
line('  munmap', `${Math.round(munmap)} ns/page`)
line('  all tables', `${tables.toFixed(1)} bytes/page`, 'goal: at most 64')
line('  what the process grows by', `${resident.toFixed(1)} bytes/page`)

console.log('\nmmap, fault and munmap of a page among other areas')
const costs = await costByAreas(AREAS)
for (const [i, count] of AREAS.entries()) {
  line(`  ${count}`, `${costs[i].toFixed(1)} us`, `${(costs[i] / costs[0]).toFixed(2)}x${i === AREAS.length - 1 ? ' (goal: at most 2x)' : ''}`)
}
