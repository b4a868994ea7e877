import { predict } from '../src/event.ts'
import { Reach } from '../src/reach.ts'
import { count, type Algorithm } from './count.ts'
import { randomProgram } from './random-program.ts'

/** Runs a random program under all algorithms. @returns what they do not agree upon, `too large` for a program with too many interleavings */
export async function disagreement(seed: number, { limit = 20_000, prediction = predict } = {}): Promise<string | undefined> {
  const run = async (algorithm: Algorithm, reach: Reach): Promise<{ traces: number; states: string; executions: number; blocked: number }> => {
    const { scenario, finals } = randomProgram(seed)
    const { traces, failed, executions, blocked } = await count(scenario, algorithm, { limit, prediction, reach })
    return { traces: traces.size, executions, blocked, states: [...[...failed.keys()].sort(), ...[...finals].sort()].join(' ') }
  }
  const reach = new Reach()
  const learned = await run('all', reach)
  if (learned.executions >= limit) return 'too large'
  const all = await run('all', reach)
  const complain = (name: string, what: string): string => `${randomProgram(seed).text}\n${name}: ${what}\nall: ${all.traces} traces, ${all.states}`
  for (const algorithm of ['sleep', 'optimal'] as const) {
    const { traces, states, executions, blocked } = await run(algorithm, reach)
    if (traces !== all.traces || states !== all.states) return complain(algorithm, `${traces} traces, ${states}`)
    if (algorithm === 'optimal' && (executions !== traces || blocked > 0)) return complain(algorithm, `${executions} executions, ${blocked} blocked`)
  }
  // And when it has yet to learn what sections touch.
  const { states, executions, blocked } = await run('optimal', new Reach())
  if (states !== all.states) return complain('optimal, unlearned', states)
  if (executions > all.traces || blocked > 0) return complain('optimal, unlearned', `${executions} executions, ${blocked} blocked`)
  return undefined
}
