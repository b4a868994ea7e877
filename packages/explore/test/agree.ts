import { predict } from '../src/event.ts'
import type { Prediction } from '../src/reversal.ts'
import { Knowledge } from '../src/knowledge.ts'
import { count, type Algorithm } from './count.ts'
import { randomProgram, type Shape } from './random-program.ts'

interface Options {
  limit?: number
  prediction?: Prediction
  shape?: Shape
  trylockWrites?: boolean
}

/** Runs a random program under all algorithms. @returns what they do not agree upon, `too large` for a program with too many interleavings */
export async function disagreement(seed: number, { limit = 20_000, prediction = predict, shape, trylockWrites = false }: Options = {}): Promise<string | undefined> {
  const run = async (algorithm: Algorithm, known: Knowledge): Promise<{ traces: number; states: string; executions: number; blocked: number }> => {
    const { scenario, finals } = randomProgram(seed, shape)
    const { traces, failed, executions, blocked } = await count(scenario, algorithm, { limit, prediction, known, trylockWrites })
    return { traces: traces.size, executions, blocked, states: [...[...failed.keys()].sort(), ...[...finals].sort()].join(' ') }
  }
  const known = new Knowledge()
  const learned = await run('all', known)
  if (learned.executions >= limit) return 'too large'
  const all = await run('all', known)
  const complain = (name: string, what: string): string => `${randomProgram(seed, shape).text}\n${name}: ${what}\nall: ${all.traces} traces, ${all.states}`
  for (const algorithm of ['sleep', 'source', 'optimal', 'backwards'] as const) {
    const { traces, states, executions, blocked } = await run(algorithm, known)
    if (traces !== all.traces || states !== all.states) return complain(algorithm, `${traces} traces, ${states}`)
    // Sleep sets keep an execution from being completed twice, and only wakeup trees keep it from being begun in vain.
    if (executions !== traces || (algorithm !== 'sleep' && algorithm !== 'source' && blocked > 0)) return complain(algorithm, `${executions} executions, ${blocked} blocked`)
  }
  // And when it has yet to learn what sections touch.
  const { states, executions, blocked } = await run('optimal', new Knowledge())
  if (states !== all.states) return complain('optimal, unlearned', states)
  if (executions > all.traces || blocked > 0) return complain('optimal, unlearned', `${executions} executions, ${blocked} blocked`)
  return undefined
}
