import * as frames from '../src/frames.ts'
import { compile } from '../src/compile.ts'

/** A module that hands on the runtime of the test's process: code that is imported from a `data:` URL can import no TypeScript. */
const RUNTIME = 'data:text/javascript,export const { run, now, slot, fn, arrow, call, named, take } = globalThis[Symbol.for("test.frames")]'
;(globalThis as Record<symbol, unknown>)[Symbol.for('test.frames')] = frames

/** What a program is given: it says what happened. */
export type Log = (what: unknown) => void

interface Module {
  default: (log: Log) => unknown
}

let count = 0

/** Imports a module's text. */
export async function load(code: string): Promise<Module> {
  return (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}//${count++}`)) as Module
}

/** The text of the compiled module. */
export function compiledText(code: string): string {
  return compile(code, { file: 'program.js', runtime: RUNTIME })?.code ?? code
}

/** All that a program does that can be observed, with a dot for each turn of the microtask queue: the order of events, and when they happen. */
export async function trace(code: string): Promise<string[]> {
  const events: string[] = []
  const log: Log = (what) => { events.push(show(what)) }
  const { default: main } = await load(code)
  let turns = Promise.resolve()
  for (let turn = 0; turn < 60; turn++) turns = turns.then(() => { events.push('.') })
  try {
    log(main)
    const result = main.toString().startsWith('class') ? new (main as unknown as new () => (log: Log) => unknown)()(log) : main(log)
    log(result instanceof Promise)
    events.push(`returns ${show(await result)}`)
  } catch (error) {
    events.push(`throws ${show(error)}`)
  }
  await turns
  return events.join(' ').replace(/[ .]*$/, '').split(' ')
}

function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message.replaceAll(/\w+\$task\d*/g, '*')}`.replaceAll(' ', '_')
  if (typeof value === 'function') return `function_${value.name}/${value.length}`
  if (typeof value === 'object' && value !== null) return JSON.stringify(value).replaceAll(' ', '_')
  return String(value).replaceAll(' ', '_')
}
