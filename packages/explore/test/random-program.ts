import type { Cell, Kernel, Mutex, RwSemaphore, SpinLock, WaitQueue } from '@mmu-notifier/kernel'
import { Random } from '../src/random.ts'
import type { Scenario } from '../src/scenario.ts'
import { item } from '../src/item.ts'

interface Shared {
  readonly cells: Cell<number>[]
  readonly mutexes: Mutex[]
  readonly rwsem: RwSemaphore
  readonly spin: SpinLock
  readonly queue: WaitQueue
  /** What the tasks have seen, by task. */
  readonly seen: number[][]
}

type Statement = (shared: Shared, seen: number[]) => Promise<void>

/** A random program of 2 or 3 tasks; the same one for the same seed. `final` is what an execution of it came to. */
export function randomProgram(seed: number): { scenario: Scenario<Shared>; finals: Set<string>; text: string } {
  const random = new Random(seed)
  const lines: string[] = []
  const any = (n: number): number => random.below(n)
  const cell = (s: Shared, i: number): Cell<number> => item(s.cells, i)

  /** @param held the locks around it */
  const statement = (depth: number, held: readonly string[] = []): Statement => {
    const c = any(2)
    const d = any(2)
    const v = any(3) + 1
    const indent = '  '.repeat(depth)
    const say = (text: string): void => void lines.push(indent + text)
    const kind = any(12)
    const lock = kind === 5 || kind === 6 ? `m${d}` : kind === 7 || kind === 8 ? 'rwsem' : undefined
    // Nothing is taken twice, and nobody sleeps on the queue with a lock.
    if ((depth > 3 && kind > 3) || (lock !== undefined && held.includes(lock)) || (kind === 10 && held.length > 0)) return statement(depth, held)
    const inside = lock === undefined ? held : [...held, lock]
    switch (kind) {
      case 0:
        say(`read c${c}`)
        return async (s, seen) => void seen.push(await cell(s, c).read())
      case 1:
        say(`c${c} = ${v}`)
        return (s) => cell(s, c).write(v)
      case 2:
        say(`cas c${c} ${v - 1} ${v}`)
        return async (s, seen) => void seen.push(await cell(s, c).compareExchange(v - 1, v))
      case 3:
        say(`c${c} += ${v}`)
        return async (s, seen) => void seen.push(await cell(s, c).update((held) => (held + v) % 5))
      case 4: {
        say(`if read c${c} is ${v - 1}`)
        const then = statement(depth + 1, inside)
        const otherwise = statement(depth + 1, inside)
        return async (s, seen) => ((await cell(s, c).read()) === v - 1 ? then : otherwise)(s, seen)
      }
      case 5: {
        say(`lock m${d}`)
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          await (item(s.mutexes, d)).lock()
          await inner(s, seen)
          await (item(s.mutexes, d)).unlock()
        }
      }
      case 6: {
        say(`trylock m${d}`)
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          const taken = await (item(s.mutexes, d)).tryLock()
          seen.push(taken ? 1 : 0)
          if (!taken) return
          await inner(s, seen)
          await (item(s.mutexes, d)).unlock()
        }
      }
      case 7: {
        say('down_read')
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          await s.rwsem.lockRead()
          await inner(s, seen)
          await s.rwsem.unlockRead()
        }
      }
      case 8: {
        const downgrades = any(3) === 0
        say(downgrades ? 'down_write, downgrade' : 'down_write')
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          await s.rwsem.lockWrite()
          if (downgrades) await s.rwsem.downgrade()
          await inner(s, seen)
          await (downgrades ? s.rwsem.unlockRead() : s.rwsem.unlockWrite())
        }
      }
      case 9:
        // What it touches depends on what it reads.
        say(`section { if c${c} is ${v - 1} then c${1 - c}++ else read c${1 - c} }`)
        return async (s, seen) => void seen.push(await s.spin.section(() => (cell(s, c).value === v - 1 ? ++cell(s, 1 - c).value : d === 0 ? cell(s, 1 - c).value : 0)))
      case 10:
        say(`wait until c${c} is not 0`)
        return (s) => s.queue.until(() => cell(s, c).value !== 0)
      default:
        say('wake')
        return (s) => s.queue.wakeAll()
    }
  }

  const finals = new Set<string>()
  const tasks: Record<string, (s: Shared) => Promise<void>> = {}
  const n = 2 + any(2)
  for (let t = 0; t < n; t++) {
    lines.push(`task ${t}`)
    const body = Array.from({ length: 1 + any(n === 2 ? 4 : 2) }, () => statement(1))
    tasks[`t${t}`] = async (s) => {
      for (const each of body) await each(s, item(s.seen, t))
    }
  }
  return {
    finals,
    text: `seed ${seed}\n${lines.join('\n')}`,
    scenario: {
      setup: (kernel: Kernel) => ({
        cells: [kernel.cell('c0', 0), kernel.cell('c1', 0)],
        mutexes: [kernel.mutex('m0'), kernel.mutex('m1')],
        rwsem: kernel.rwSemaphore('rwsem'),
        spin: kernel.spinLock('spin'),
        queue: kernel.waitQueue('queue'),
        seen: Array.from({ length: n }, () => []),
      }),
      tasks,
      check: (s: Shared) => void finals.add(JSON.stringify([s.seen, s.cells.map((each) => each.value)])),
    },
  }
}
