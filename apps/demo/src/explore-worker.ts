import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import type { Exploration, Scenario } from '@mmu-notifier/explore'
import type { Job, Message } from './explore-job.ts'
import { load } from './loading.ts'

/*
 * The thread that explores. Whatever it imports from here on is compiled, the scenario and the kernel that it stands on: so nothing of that may be
 * imported before.
 */
if (!isMainThread && parentPort) {
  const port = parentPort
  await import('@mmu-notifier/explore/register')
  await work(workerData as Job, (message) => { port.postMessage(message) })
}

async function work({ url, scenario: name, options, replay: token }: Job, say: (message: Message) => void): Promise<void> {
  const { explore, formatCounterexample, replay, whyNoScenario } = await import('@mmu-notifier/explore')
  let module: Readonly<Record<string, unknown>>
  try {
    module = await load(url, ['--import', import.meta.resolve('@mmu-notifier/explore/register')])
  } catch (error) {
    say({ kind: 'usage', message: (error as Error).message })
    return
  }
  const found = find(module, name, whyNoScenario)
  if (typeof found === 'string') {
    say({ kind: 'usage', message: found })
    return
  }
  try {
    if (token === undefined) {
      const exploration = await explore(found, { ...options, progress: (executions) => { say({ kind: 'progress', executions }) } })
      say({ kind: 'explored', exploration: plain(exploration) })
    } else {
      const counterexample = await replay(found, token, options)
      const report = counterexample ? formatCounterexample(counterexample, 'a replay') : 'the execution that the token stands for passes'
      say({ kind: 'replayed', counterexample: counterexample && { ...counterexample, error: undefined }, report })
    }
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    if (code !== 'EINVAL' && !(error instanceof RangeError)) throw error
    say({ kind: 'usage', message })
  }
}

/** @returns the scenario, or what is wrong */
function find(module: Readonly<Record<string, unknown>>, name: string | undefined, whyNone: (value: unknown) => string | undefined): Scenario | string {
  const names = Object.keys(module).filter((key) => whyNone(module[key]) === undefined)
  const known = names.length > 0 ? `its scenarios are ${names.join(', ')}` : 'it exports no scenario'
  if (name !== undefined) {
    const reason = name in module ? whyNone(module[name]) : 'there is no such export'
    return reason === undefined ? (module[name] as Scenario) : `--scenario ${name}: ${reason}; ${known}`
  }
  if (names.includes('default') || names.length === 1) return module[names.includes('default') ? 'default' : (names[0] ?? '')] as Scenario
  if (names.length > 1) return `${known}: pick one with --scenario`
  const others = Object.keys(module).map((key) => `${key} (${whyNone(module[key]) ?? ''})`)
  const reason = 'default' in module ? `the default export is none: ${whyNone(module['default']) ?? ''}` : `found ${others.join(', ') || 'no export'}`
  return `expected a scenario { setup, tasks, check? } as default export, ${reason}`
}

/** What was thrown may be anything, and need not survive the way to another thread. */
function plain(exploration: Exploration): Exploration {
  const { counterexample } = exploration
  return counterexample ? { ...exploration, counterexample: { ...counterexample, error: undefined } } : exploration
}
