/** One contestant in a process of its own, so that it has its own heap and type feedback: runs as many schedules as it is told, and says what they cost. */
import process from 'node:process'

const [name = '', engine = '', checks = ''] = process.argv.slice(2)
const SAMPLE = 1000

/** @returns {Promise<{ run: (schedules: number, seed: number) => Promise<unknown>, operations: number }>} */
async function load() {
  if (name === 'fast-check') {
    const { run } = await import('./peer.js')
    return { run, operations: (await run(SAMPLE, 1)).operations / SAMPLE }
  }
  if (name === 'bare') {
    const { runner } = await import('./bare.js')
    const run = runner(/** @type {'generators' | 'promises'} */ (engine), checks === 'clocks')
    return { run, operations: (await run(SAMPLE, 1)).operations / SAMPLE }
  }
  const ours = await import('./ours.js')
  const toy = /** @type {'flat' | 'plain' | 'nested'} */ (name)
  const kind = /** @type {'promise' | 'generator'} */ (engine)
  return { run: ours.runner(toy, kind, checks === 'lockdep'), operations: await ours.operations(toy, kind, SAMPLE) }
}

const { run, operations } = await load()
process.on('message', async (/** @type {{ schedules: number, seed: number }} */ { schedules, seed }) => {
  const before = process.cpuUsage()
  await run(schedules, seed)
  const { user } = process.cpuUsage(before)
  process.send?.({ time: user })
})
process.send?.({ operations })
