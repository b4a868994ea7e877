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
 * The machine may give half of a core at times, for seconds or minutes: see `spin`. So the rate of each round is scaled to the core at the fastest that it was meanwhile.
 *
 * @param {string[]} files
 * @returns {Promise<{ operations: number, rate: number, measured: number, best: number, core: number, first: number, whole: number, ratio: number }>} operations run and compared per
 * second of CPU time: the median of the rounds, scaled; not scaled; the best round, not scaled; the median share of a core that there was; the first time, when compilers are at work, not scaled. The median
 * when the files are read, unzipped and parsed in that time, too, scaled; and how many times the rate of promises that is
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
    rate: median(rates.map(({ run }, round) => run / shares[round])),
    measured: median(rates.map(({ run }) => run)),
    best: Math.max(...rates.map(({ run }) => run)),
    core: median(shares),
    first: ordinary.rates[0].run,
    whole: median(rates.map(({ all }, round) => all / shares[round])),
    ratio: median(rates.map(({ all }, round) => all / slower[round].all)),
  }
}
