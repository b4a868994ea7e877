import { BenchProcess } from '../../../tools/bench-process.js'
import { SEQUENTIAL, YOUNG } from './flags.js'
import { median } from './measure.js'

const ROUNDS = 7
/** Operations of a round. */
const ROUND = 50_000
/** Rounds that do not count: compilers are at work. */
const WARM_UP = 3

/** A process that compares all programs, as often as it is asked to. */
class Contestant {
  #process
  /** By round, operations per second of CPU time: running and comparing, and reading the files too; and what `spin` takes. @type {{ run: number, all: number, spin: number }[]} */
  rates = []
  /** The shortest time that `spin` has ever taken. */
  fastest = Infinity

  /** @param {string[]} execArgv */
  constructor(execArgv) {
    this.#process = new BenchProcess(new URL('diff-rounds.js', import.meta.url), [], [YOUNG, ...execArgv])
  }

  /** @param {string[]} files @param {number} times @returns {Promise<number>} operations in these files */
  async round(files, times) {
    const { operations, reading, running, spinning, fastest } = await this.#process.ask({ files, times })
    this.rates.push({ run: (operations / running) * 1e6, all: (operations / (reading + running)) * 1e6, spin: spinning })
    this.fastest = Math.min(this.fastest, fastest)
    return operations / times
  }

  end() {
    this.#process.end()
  }
}

/**
 * Compares recorded programs, round after round: as the command `diff` does, with ordinary functions, and on promises, in turn.
 *
 * @param {string[]} files
 * @returns {Promise<{ operations: number, rate: number, best: number, first: number, whole: number, ratio: number, share: number, scaled: number }>} operations run and compared per
 * second of CPU time: the median of the rounds; the best one, which is what it costs where nobody else uses the core and its caches; the first time, when compilers are at work. The median
 * when the files are read, unzipped and parsed in that time, too; and how many times the rate of promises that is. How fast the core was, against the fastest moment: see `spin`; and an estimate, no
 * measurement, of the rate if it had been so all the time
 */
export async function runPrograms(files) {
  const ordinary = new Contestant(SEQUENTIAL)
  const promises = new Contestant([])
  const operations = await ordinary.round(files, 1)
  const times = Math.ceil(ROUND / operations)
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    await ordinary.round(files, times)
    await promises.round(files, times)
  }
  ordinary.end()
  promises.end()
  const rates = ordinary.rates.slice(-ROUNDS)
  const slower = promises.rates.slice(-ROUNDS)
  const shares = rates.map(({ spin }) => ordinary.fastest / spin)
  return {
    operations,
    rate: median(rates.map(({ run }) => run)),
    best: Math.max(...rates.map(({ run }) => run)),
    first: ordinary.rates[0].run,
    whole: median(rates.map(({ all }) => all)),
    ratio: median(rates.map(({ all }, round) => all / slower[round].all)),
    share: median(shares),
    scaled: median(rates.map(({ run }, round) => run / shares[round])),
  }
}
