/**
 * Ratios against other trees: how many times our CPU time a peer takes for the same operations.
 *
 *     npm run build && npm run bench -w @mmu-notifier/interval-tree            1e3 and 1e5 intervals, half a minute
 *     npm run bench -w @mmu-notifier/interval-tree -- --large                  1e6 as well, some minutes more
 *
 * All contestants run the same chunks of operations in one process, in turn, and their answers must agree. A ratio is taken between
 * two runs of one chunk, next to each other in time; the table shows the median over the rounds. Only ratios: times vary by machine.
 */
import { Flatten, Ours, SortedBTree } from './contestants.js'
import { driver, uniform } from './workloads.js'

const ROUNDS = 9
/** First rounds do not count: compilers are at work. */
const WARM_UP = 3

const peers = { '@flatten-js/interval-tree': Flatten, 'sorted-btree': SortedBTree }

/** @typedef {keyof typeof peers} Peer */
/** @typedef {{ name: string, create: () => import('./trace.js').Index, run: typeof import('./trace.js').run }} Contestant */

/**
 * CPU time of this process in microseconds, collector and compiler threads included.
 *
 * @param {() => number} work
 */
function measure(work) {
  const before = process.cpuUsage()
  const sum = work()
  const { user, system } = process.cpuUsage(before)
  return { sum, time: user + system }
}

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

/**
 * One round of one workload: every contestant in turn, starting with another one each time.
 *
 * @param {Contestant[]} contestants @param {number} round @param {(contestant: Contestant, i: number) => number} work
 * @returns {number[]} times as multiples of the first contestant's
 */
function compare(contestants, round, work) {
  const results = contestants.map(() => ({ sum: 0, time: 0 }))
  for (let turn = 0; turn < contestants.length; turn++) {
    const i = (turn + round) % contestants.length
    results[i] = measure(() => work(contestants[i], i))
  }
  const [ours, ...others] = results
  for (const [i, { sum }] of others.entries()) {
    if (sum !== ours.sum) throw new Error(`${contestants[i + 1].name} answers ${sum} where ours answers ${ours.sum}`)
  }
  return others.map(({ time }) => time / ours.time)
}

/**
 * @param {string} title @param {number} n @param {(n: number) => ReturnType<typeof uniform> | ReturnType<typeof driver>} data
 * @param {Peer[]} names
 */
async function table(title, n, data, names) {
  const { build, workloads } = data(n)
  const ids = 4 * n
  /** @type {Contestant[]} */
  const contestants = []
  for (const name of /** @type {const} */ (['ours', ...names])) {
    const Index = name === 'ours' ? Ours : peers[name]
    const { run } = await import(`./trace.js?${name}-${title}-${n}`)
    contestants.push({ name, create: () => new Index(ids), run })
  }

  const rounds = n > 1e5 ? 3 : ROUNDS
  const skip = n > 1e5 ? 1 : WARM_UP
  const perBuild = Math.max(1, Math.floor(50_000 / n))
  /** @type {Map<string, number[][]>} */
  const ratios = new Map()
  for (let round = 0; round < rounds; round++) {
    // No index stays alive: our buffers make the collector run, and it would mark a peer's objects at our cost.
    const result = compare(contestants, round, ({ create, run }) => {
      let sum = 0
      for (let i = 0; i < perBuild; i++) sum += run(create(), build)
      return sum
    })
    if (round >= skip) ratios.set('build', [...(ratios.get('build') ?? []), result])
  }
  const indexes = contestants.map(({ create, run }) => {
    const index = create()
    run(index, build)
    return index
  })
  for (let round = 0; round < rounds + skip; round++) {
    for (const [name, prepare] of Object.entries(workloads)) {
      const trace = prepare()
      const result = compare(contestants, round, ({ run }, i) => run(indexes[i], trace))
      if (round >= 2 * skip) ratios.set(name, [...(ratios.get(name) ?? []), result])
    }
  }

  const bytes = /** @type {Ours} */ (indexes[0]).bytesPerInterval
  console.log(`\n${title}, ${n} intervals; ours: ${bytes.toFixed(1)} bytes each`)
  console.log(`  ${'time of peer / ours'.padEnd(22)}${names.map((name) => name.padStart(28)).join('')}`)
  for (const [name, results] of ratios) {
    const cells = names.map((_, i) => `${median(results.map((result) => result[i])).toFixed(1)}x`.padStart(28))
    console.log(`  ${name.padEnd(22)}${cells.join('')}`)
  }
}

for (const n of process.argv.includes('--large') ? [1e3, 1e5, 1e6] : [1e3, 1e5]) {
  await table('overlapping', n, uniform, ['@flatten-js/interval-tree'])
  await table('disjoint', n, driver, ['@flatten-js/interval-tree', 'sorted-btree'])
}
