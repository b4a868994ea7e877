import type { Cell } from '@mmu-notifier/kernel'
import { expect } from 'vitest'
import { item } from '../src/item.ts'
import { program, vars } from './programs.ts'

type Step = (cells: Record<string, Cell<number>>) => Promise<unknown>

/** `Wx5`: x = 5. `Rx`: read x. `Ux`: add 1 to x in one step. `Cx1:2`: 2 for 1 in x. */
function step(text: string): Step {
  const [, kind, name = '', first = '1', second = ''] = /^([WRUC])([a-z])(\d*):?(\d*)$/.exec(text) ?? []
  const cell = (cells: Record<string, Cell<number>>): Cell<number> => cells[name] ?? expect.unreachable()
  switch (kind) {
    case 'W':
      return (cells) => cell(cells).write(Number(first))
    case 'R':
      return (cells) => cell(cells).read()
    case 'U':
      return (cells) => cell(cells).update((held) => held + 1)
    case 'C':
      return (cells) => cell(cells).compareExchange(Number(first), Number(second))
    default:
      throw new SyntaxError(`litmus: ${text}`)
  }
}

/** A program without branches: the steps of a thread, divided by spaces; threads divided by `|`. */
export function litmus(text: string): ReturnType<typeof program> {
  const threads = text.split('|').map((thread) => thread.trim().split(/ +/).map(step))
  const names = [...new Set(text.match(/[a-z]/g))]
  return program(vars(...names), ...threads.map((steps) => async (cells: Record<string, Cell<number>>) => {
    for (const each of steps) await each(cells)
  }))
}

/**
 * tokio-rs/loom#166: a writer of two words, and a reader of both. The load changes nothing, so what the reader may see is the same with and without it.
 * @returns the program, and what its reader saw
 */
export function redundantLoad(load: boolean): { scenario: ReturnType<typeof program>; seen: Set<string> } {
  const seen = new Set<string>()
  const scenario = program(
    vars('key', 'value'),
    async ({ key, value }) => {
      await key.write(1)
      await value.write(1)
      await value.write(0)
      if (load) await key.read()
      await key.write(0)
    },
    async ({ key, value }) => {
      const both = [await value.read(), await key.read()]
      seen.add(`(${item(both, 0)},${item(both, 1)})`)
    },
  )
  return { scenario, seen }
}

/** tokio-rs/loom#392: the first thing a thread does is a load that nobody needs. */
export function irrelevantLoad(): { scenario: ReturnType<typeof program>; seen: Set<string> } {
  const seen = new Set<string>()
  const scenario = program(
    vars('a'),
    async ({ a }) => {
      await a.read()
      await a.write(1)
    },
    async ({ a }) => void seen.add(String(await a.read())),
  )
  return { scenario, seen }
}
