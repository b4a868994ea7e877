/**
 * Ratios: how many times as many schedules of one program are run in the same CPU time as by `fc.scheduler()` of fast-check.
 *
 *     npm run build && npm run bench -w @mmu-notifier/explore            a minute and a half
 *
 * All contestants run the same program (see toys.js), each in a process of its own, in turn. A ratio is taken between two runs next to each other in time; the
 * table shows the median over the rounds. Only ratios: times vary by machine. `user` CPU time, collector and compiler threads included.
 *
 * Under fast-check an operation is performed when it is chosen, as it is here, and as likely; so the schedules are of the same kind, and as long. It takes some steps more
 * (53 for 48 operations), because who finds a lock taken has to ask again.
 *
 * The bare loops (see bare.js) run the same operations and check nothing.
 */
import { BenchProcess } from '../../../tools/bench-process.js'
import { exhaust } from './memory.js'

const ROUNDS = 9
/** First rounds do not count: compilers are at work. */
const WARM_UP = 4
/** Microseconds that a run is to take, about. */
const RUN = 400_000
/** Operations in a schedule may differ by so much. */
const LIKE = 0.02

const PEER = 'fast-check'
const COMPILED = ['--import', new URL('../dist/node/register.js', import.meta.url).href]

/** @type {readonly { title: string, args: string[], goal?: number }[]} */
const CONTESTANTS = [
  { title: PEER, args: [PEER] },
  { title: 'a bare loop on promises', args: ['bare', 'promises'] },
  { title: 'a bare loop on promises, clocks', args: ['bare', 'promises', 'clocks'] },
  { title: 'a bare loop on generators', args: ['bare', 'generators'] },
  { title: 'a bare loop on generators, clocks', args: ['bare', 'generators', 'clocks'] },
  { title: 'promises, no checks', args: ['flat', 'promise'], goal: 20 },
  { title: 'promises, all checks', args: ['flat', 'promise', 'lockdep'], goal: 20 },
  { title: 'promises, all checks, plain accesses', args: ['plain', 'promise', 'lockdep'] },
  { title: 'promises, helpers of helpers', args: ['nested', 'promise', 'lockdep'] },
  { title: 'compiled, no checks', args: ['flat', 'generator'], goal: 60 },
  { title: 'compiled, all checks', args: ['flat', 'generator', 'lockdep'], goal: 60 },
  { title: 'compiled, all checks, plain accesses', args: ['plain', 'generator', 'lockdep'], goal: 40 },
  { title: 'compiled, helpers of helpers', args: ['nested', 'generator', 'lockdep'] },
]

class Contestant {
  #process
  #schedules = 50
  /** @type {number[]} */
  rates = []

  /** @param {string[]} args */
  constructor(args) {
    this.#process = new BenchProcess(new URL('contestant.js', import.meta.url), args, args.includes('generator') ? COMPILED : [])
  }

  async operations() {
    return (await this.#process.answer()).operations
  }

  /** @param {number} seed */
  async run(seed) {
    const { time } = await this.#process.ask({ schedules: this.#schedules, seed })
    const rate = (this.#schedules / time) * 1e6
    // A short first run may be over before the clock of the CPU has moved.
    this.#schedules = time > 0 ? Math.ceil((rate * RUN) / 1e6) : 10 * this.#schedules
    return rate
  }

  end() {
    this.#process.end()
  }
}

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

const contestants = CONTESTANTS.map(({ args }) => new Contestant(args))
const operations = []
for (const contestant of contestants) operations.push(await contestant.operations())
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  for (let turn = 0; turn < contestants.length; turn++) {
    const contestant = contestants[(turn + round) % contestants.length]
    const rate = await contestant.run(round + 1)
    if (round >= WARM_UP) contestant.rates.push(rate)
  }
}
for (const contestant of contestants) contestant.end()

/** @param {number} i @param {number} j @returns {number} the median of how many times the rate of j that of i is */
const ratio = (i, j) => median(contestants[i].rates.map((rate, round) => rate / contestants[j].rates[round]))
/** @param {string} title */
const at = (title) => CONTESTANTS.findIndex((contestant) => contestant.title === title)

console.log(`${''.padEnd(40)}${'operations'.padStart(12)}${'schedules/s'.padStart(14)}${`/ ${PEER}`.padStart(14)}${'goal'.padStart(8)}`)
for (const [i, { title, goal }] of CONTESTANTS.entries()) {
  const cells = [operations[i].toFixed(1).padStart(12), `${Math.round(median(contestants[i].rates) / 100) / 10}k`.padStart(14), `${ratio(i, 0).toFixed(1)}x`.padStart(14)]
  console.log(`${title.padEnd(40)}${cells.join('')}${(goal === undefined ? '' : `${goal}x`).padStart(8)}`)
  if (Math.abs(operations[i] / operations[0] - 1) > LIKE) throw new Error(`${title}: ${operations[i]} operations in a schedule, where ${PEER} has ${operations[0]}`)
}
for (const engine of ['promises', 'compiled']) {
  const all = at(`${engine}, all checks`)
  console.log(`\n${engine}: the order of locks costs ${ratio(at(`${engine}, no checks`), all).toFixed(2)}x`)
  console.log(`${engine}: vector clocks and the race check cost ${ratio(all, at(`${engine}, all checks, plain accesses`)).toFixed(2)}x`)
  console.log(`${engine}: helpers of helpers cost ${ratio(all, at(`${engine}, helpers of helpers`)).toFixed(2)}x (goal: at most 1.5x)`)
}

const { traces, megabytes, seconds } = await exhaust(15)
console.log(`\nlastzero(15): ${traces} traces in ${seconds.toFixed(0)} s of CPU time and ${megabytes.toFixed(0)} MB (goal: 147456 in 300 MB)`)
