import type { Cell, Completion, Kernel, Mutex, Refcount, RwSemaphore, SeqCount, SpinLock, Srcu, WaitQueue, WorkQueue } from '@mmu-notifier/kernel'
import { Random } from '../src/random.ts'
import type { Scenario } from '../src/scenario.ts'
import { item } from '../src/item.ts'

interface Shared {
  readonly kernel: Kernel
  readonly cells: Cell<number>[]
  /** Objects of this execution, and a cell that holds one of them. */
  readonly objects: readonly object[]
  readonly holder: Cell<object | undefined>
  readonly mutexes: Mutex[]
  readonly rwsem: RwSemaphore
  readonly spin: SpinLock
  readonly queue: WaitQueue
  readonly refcount: Refcount
  readonly completion: Completion
  readonly seq: SeqCount
  readonly srcu: Srcu
  readonly work: WorkQueue
  /** What the tasks have seen, by task. */
  readonly seen: Seen[]
}

/** With what a task's children have seen in it. */
type Seen = (number | Seen)[]
type Statement = (shared: Shared, seen: Seen) => Promise<void>

const CELLS = ['read', 'write', 'cas', 'add', 'if'] as const
const ALL = [...CELLS, 'lock', 'trylock', 'down_read', 'down_write', 'section', 'wait', 'wake'] as const
const NEW = ['wake_one', 'complete', 'complete_all', 'await', 'try_await', 'seq_write', 'seq_read', 'srcu_read', 'synchronize', 'queue_work', 'flush'] as const
const TRY = ['spin_trylock', 'try_read', 'try_write'] as const
type Kind = (typeof ALL)[number] | 'spin' | 'ref' | 'drop' | 'spawn' | (typeof NEW)[number] | (typeof TRY)[number] | 'hold' | 'exchange'
const SLEEPS: readonly Kind[] = ['wait', 'await', 'synchronize', 'flush']

/** The lock that a statement takes; there are two mutexes. */
const LOCKS: Readonly<Partial<Record<Kind, (mutex: number) => string>>> = {
  lock: (mutex) => `m${mutex}`,
  trylock: (mutex) => `m${mutex}`,
  down_read: () => 'rwsem',
  down_write: () => 'rwsem',
  section: () => 'spin',
  spin: () => 'spin',
  spin_trylock: () => 'spin',
  seq_write: () => 'spin',
  try_read: () => 'rwsem',
  try_write: () => 'rwsem',
}

/** What random programs are made of. */
export interface Shape {
  /** From so many tasks to so many. */
  readonly tasks: readonly [least: number, most: number]
  /** At most so many statements in a task. */
  readonly statements: (tasks: number) => number
  /** Statements deeper than this contain no others: they read or write a cell. There must be such ones. */
  readonly depth: number
  /** The statements, each as likely as the others; one may be named more than once. */
  readonly kinds: readonly Kind[]
  readonly cells: number
  /** Tasks may sleep on the queue while they hold a lock. */
  readonly sleepsWithLocks?: boolean
}

const MIXED: Shape = { tasks: [2, 3], statements: (n) => (n === 2 ? 4 : 2), depth: 3, kinds: ALL, cells: 2 }

export const SHAPES: Readonly<Record<string, Shape>> = {
  mixed: MIXED,
  cells: { ...MIXED, tasks: [2, 4], statements: (n) => (n === 2 ? 5 : n === 3 ? 3 : 2), kinds: CELLS },
  cas: { ...MIXED, tasks: [3, 4], statements: () => 2, kinds: ['cas', 'cas', 'write', 'read', 'if'], cells: 1 },
  objects: { ...MIXED, tasks: [2, 4], statements: (n) => (n === 2 ? 4 : 2), kinds: ['exchange', 'exchange', 'exchange', 'hold', 'write', 'read', 'if'] },
  locks: { ...MIXED, kinds: ['lock', 'trylock', 'trylock', 'write', 'read', 'if'] },
  rwsem: { ...MIXED, kinds: ['down_read', 'down_read', 'down_write', 'write', 'read', 'wait', 'wake'], sleepsWithLocks: true },
  queue: { ...MIXED, kinds: ['wait', 'wait', 'wake', 'write', 'add', 'if'] },
  deep: { ...MIXED, tasks: [2, 2], statements: () => 2, depth: 6, kinds: [...ALL, 'if', 'if', 'if', 'cas'] },
  many: { ...MIXED, tasks: [4, 5], statements: () => 1, depth: 1 },
  wakeone: { ...MIXED, tasks: [2, 4], kinds: ['wait', 'wait', 'wait', 'wake_one', 'wake_one', 'wake', 'write', 'add', 'if'] },
  completion: { ...MIXED, tasks: [2, 4], kinds: ['complete', 'complete', 'complete_all', 'await', 'await', 'try_await', 'write', 'read', 'if', 'lock'], sleepsWithLocks: true },
  seqcount: { ...MIXED, kinds: ['seq_write', 'seq_write', 'seq_read', 'seq_read', 'write', 'read', 'if'] },
  srcu: { ...MIXED, kinds: ['srcu_read', 'srcu_read', 'synchronize', 'write', 'read', 'if', 'lock'], sleepsWithLocks: true },
  work: { ...MIXED, kinds: ['queue_work', 'queue_work', 'flush', 'write', 'read', 'if', 'lock'], sleepsWithLocks: true },
  trylocks: { ...MIXED, kinds: ['spin', 'spin_trylock', 'spin_trylock', 'try_read', 'try_read', 'try_write', 'down_read', 'down_write', 'write', 'read', 'if'] },
  new: { ...MIXED, kinds: [...NEW, ...TRY, 'write', 'read', 'if', 'wait'], sleepsWithLocks: true },
  every: { ...MIXED, kinds: [...NEW, ...TRY, ...ALL, 'spin', 'ref', 'drop', 'spawn'], sleepsWithLocks: true },
  rest: { ...MIXED, kinds: [...ALL, 'spin', 'spin', 'ref', 'ref', 'drop', 'spawn', 'spawn'], sleepsWithLocks: true },
}

/** A random program; the same one for the same seed. `finals` is what the executions of it came to. */
export function randomProgram(seed: number, shape: Shape = MIXED): { scenario: Scenario<Shared>; finals: Set<string>; text: string } {
  const random = new Random(seed)
  const lines: string[] = []
  const any = (n: number): number => random.below(n)
  const cell = (s: Shared, i: number): Cell<number> => item(s.cells, i)
  let dropped = false

  /** @param held the locks around it */
  const statement = (depth: number, held: readonly string[] = []): Statement => {
    const c = any(shape.cells)
    const d = any(2)
    const v = any(3) + 1
    const indent = '  '.repeat(depth)
    const say = (text: string): void => void lines.push(indent + text)
    const kind = item(shape.kinds, any(shape.kinds.length))
    const lock = LOCKS[kind]?.(d)
    const plain = kind === 'read' || kind === 'write' || kind === 'cas' || kind === 'add' || kind === 'hold' || kind === 'exchange'
    // Nothing is taken twice, nobody sleeps under the spinlock, and there is one reference to drop.
    const wrong = (lock !== undefined && held.includes(lock)) || (held.includes('spin') && !plain && kind !== 'if') || (kind === 'drop' && dropped)
    const itself = (kind === 'synchronize' && held.includes('srcu')) || (kind === 'flush' && held.includes('work'))
    if ((depth > shape.depth && !plain) || wrong || itself || (SLEEPS.includes(kind) && held.length > 0 && !shape.sleepsWithLocks)) return statement(depth, held)
    const inside = lock === undefined ? held : [...held, lock]
    switch (kind) {
      case 'read':
        say(`read c${c}`)
        return async (s, seen) => void seen.push(await cell(s, c).read())
      case 'write':
        say(`c${c} = ${v}`)
        return (s) => cell(s, c).write(v)
      case 'cas':
        say(`cas c${c} ${v - 1} ${v}`)
        return async (s, seen) => void seen.push(await cell(s, c).compareExchange(v - 1, v))
      case 'hold':
        say(`hold object ${v}`)
        return (s) => s.holder.write(s.objects[v])
      case 'exchange':
        say(`exchange object ${v - 1} for ${v}`)
        return async (s, seen) => void seen.push(s.objects.indexOf((await s.holder.compareExchange(s.objects[v - 1], s.objects[v])) ?? s))
      case 'add':
        say(`c${c} += ${v}`)
        return async (s, seen) => void seen.push(await cell(s, c).update((held) => (held + v) % 5))
      case 'if': {
        say(`if read c${c} is ${v - 1}`)
        const then = statement(depth + 1, inside)
        const otherwise = statement(depth + 1, inside)
        return async (s, seen) => ((await cell(s, c).read()) === v - 1 ? then : otherwise)(s, seen)
      }
      case 'lock': {
        say(`lock m${d}`)
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          await (item(s.mutexes, d)).lock()
          await inner(s, seen)
          await (item(s.mutexes, d)).unlock()
        }
      }
      case 'trylock': {
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
      case 'down_read': {
        say('down_read')
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          await s.rwsem.lockRead()
          await inner(s, seen)
          await s.rwsem.unlockRead()
        }
      }
      case 'down_write': {
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
      case 'section':
        // What it touches depends on what it reads.
        say(`section { if c${c} is ${v - 1} then c${1 - c}++ else ${d === 0 ? `read c${1 - c}` : 'nothing'} }`)
        return async (s, seen) => void seen.push(await s.spin.section(() => (cell(s, c).value === v - 1 ? ++cell(s, 1 - c).value : d === 0 ? cell(s, 1 - c).value : 0)))
      case 'wait':
        say(`wait until c${c} is not 0`)
        return (s) => s.queue.until(() => cell(s, c).value !== 0)
      case 'wake':
        say('wake')
        return (s) => s.queue.wakeAll()
      case 'wake_one':
        say('wake one')
        return (s) => s.queue.wakeOne()
      case 'complete':
        say('complete')
        return (s) => s.completion.complete()
      case 'complete_all':
        say('complete all')
        return (s) => s.completion.completeAll()
      case 'await':
        say('wait for completion')
        return (s) => s.completion.wait()
      case 'try_await':
        say('try to wait for completion')
        return async (s, seen) => void seen.push((await s.completion.tryWait()) ? 1 : 0)
      case 'seq_write': {
        say('write under spin and seq')
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          await s.spin.lock()
          await s.seq.writeBegin()
          await inner(s, seen)
          await s.seq.writeEnd()
          await s.spin.unlock()
        }
      }
      case 'seq_read':
        say(`read c${c} under seq`)
        return async (s, seen) => {
          for (;;) {
            const sequence = await s.seq.readBegin()
            seen.push(await cell(s, c).read())
            if (!(await s.seq.readRetry(sequence))) return
          }
        }
      case 'srcu_read': {
        say('srcu read')
        const inner = statement(depth + 1, [...held, 'srcu'])
        return (s, seen) => s.srcu.read(() => inner(s, seen))
      }
      case 'synchronize':
        say('synchronize')
        return (s) => s.srcu.synchronize()
      case 'queue_work': {
        say('queue work')
        const inner = statement(depth + 1, ['work'])
        return (s, seen) => {
          const own: Seen = []
          seen.push(own)
          return s.work.queue(() => inner(s, own))
        }
      }
      case 'flush':
        say('flush')
        return (s) => s.work.flush()
      case 'spin_trylock': {
        say('spin_trylock')
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          const taken = await s.spin.tryLock()
          seen.push(taken ? 1 : 0)
          if (!taken) return
          await inner(s, seen)
          await s.spin.unlock()
        }
      }
      case 'try_read': {
        say('try down_read')
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          const taken = await s.rwsem.tryLockRead()
          seen.push(taken ? 1 : 0)
          if (!taken) return
          await inner(s, seen)
          await s.rwsem.unlockRead()
        }
      }
      case 'try_write': {
        say('try down_write')
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          const taken = await s.rwsem.tryLockWrite()
          seen.push(taken ? 1 : 0)
          if (!taken) return
          await inner(s, seen)
          await s.rwsem.unlockWrite()
        }
      }
      case 'spin': {
        say('spin_lock')
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          await s.spin.lock()
          await inner(s, seen)
          await s.spin.unlock()
        }
      }
      case 'ref': {
        say('get unless zero')
        const inner = statement(depth + 1, inside)
        return async (s, seen) => {
          const got = await s.refcount.getUnlessZero()
          seen.push(got ? 1 : 0)
          if (!got) return
          await inner(s, seen)
          seen.push((await s.refcount.put()) ? 1 : 0)
        }
      }
      case 'drop':
        say('put')
        dropped = true
        return async (s, seen) => void seen.push((await s.refcount.put()) ? 1 : 0)
      case 'spawn': {
        say('spawn')
        const child = statement(depth + 1)
        say('meanwhile')
        const inner = statement(depth + 1, held)
        const joins = d === 0
        if (joins) say('join')
        return async (s, seen) => {
          const own: Seen = []
          seen.push(own)
          const task = s.kernel.spawn('child', () => child(s, own))
          await inner(s, seen)
          if (joins) await task.join()
        }
      }
    }
  }

  const finals = new Set<string>()
  const tasks: Record<string, (s: Shared) => Promise<void>> = {}
  const [least, most] = shape.tasks
  const n = least + any(most - least + 1)
  for (let t = 0; t < n; t++) {
    lines.push(`task ${t}`)
    const body = Array.from({ length: 1 + any(shape.statements(n)) }, () => statement(1))
    tasks[`t${t}`] = async (s) => {
      for (const each of body) await each(s, item(s.seen, t))
    }
  }
  return {
    finals,
    text: `seed ${seed}\n${lines.join('\n')}`,
    scenario: {
      setup: (kernel: Kernel) => {
        const objects = Array.from({ length: 4 }, (_, i) => ({ i }))
        return {
          kernel,
          objects,
          holder: kernel.cell<object | undefined>('holder', objects[0]),
          cells: Array.from({ length: 2 }, (_, i) => kernel.cell(`c${i}`, 0)),
          mutexes: [kernel.mutex('m0'), kernel.mutex('m1')],
          rwsem: kernel.rwSemaphore('rwsem'),
          spin: kernel.spinLock('spin'),
          queue: kernel.waitQueue('queue'),
          refcount: kernel.refcount('refcount', 1),
          completion: kernel.completion('completion'),
          seq: kernel.seqCount('seq'),
          srcu: kernel.srcu('srcu'),
          work: kernel.workQueue('work'),
          seen: Array.from({ length: n }, () => []),
        }
      },
      tasks,
      check: (s: Shared) => void finals.add(JSON.stringify([s.seen, s.cells.map((each) => each.value), s.objects.indexOf(s.holder.value ?? s)])),
    },
  }
}
