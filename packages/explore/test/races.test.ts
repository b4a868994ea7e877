import type { Target } from '@mmu-notifier/kernel'
import { expect, test } from 'vitest'
import { alters, COMMUTE, MODE, relation } from '../src/access.ts'
import { item } from '../src/item.ts'
import { RaceCheck } from '../src/races.ts'
import { Random } from '../src/random.ts'

type Access = keyof typeof MODE
const ACCESSES = Object.keys(MODE) as Access[]
const TASKS = 6 // more than the check has room for at first
const OBJECTS = 10

interface Marked { readonly task: number; readonly touched: ReadonlyMap<number, Access>; readonly after: ReadonlySet<Marked> }
interface Plain { readonly task: number; readonly object: number; readonly write: boolean; /** Of the task, before it. */ readonly events: number }

/** The same by definition: an event happened after all that it conflicts with and all that these happened after. */
class Model {
  readonly events: Marked[] = []
  readonly plain: Plain[] = []

  marked(task: number, touched: ReadonlyMap<number, Access>): boolean {
    const after = new Set<Marked>()
    for (const other of this.events) {
      if (other.task !== task && !conflict(other.touched, touched)) continue
      after.add(other)
      for (const earlier of other.after) after.add(earlier)
    }
    this.events.push({ task, touched, after })
    return this.plain.some((other) => {
      const access = touched.get(other.object)
      return access !== undefined && (other.write || alters(MODE[access])) && other.task !== task && !this.isOver(other, after)
    })
  }

  access(task: number, object: number, write: boolean): boolean {
    const last = this.events.findLast((event) => event.task === task)
    const after = new Set([...(last ? [last, ...last.after] : [])])
    const clash =
      this.plain.some((other) => other.object === object && other.task !== task && (other.write || write) && !this.isOver(other, after)) ||
      this.events.some((other) => {
        const theirs = other.touched.get(object)
        return theirs !== undefined && other.task !== task && (write || alters(MODE[theirs])) && !after.has(other)
      })
    this.plain.push({ task, object, write, events: this.events.filter((event) => event.task === task).length })
    return clash
  }

  /** The event after a plain access is among those that came before. */
  isOver({ task, events }: Plain, before: ReadonlySet<Marked>): boolean {
    const next = this.events.filter((event) => event.task === task)[events]
    return next !== undefined && before.has(next)
  }
}

function conflict(a: ReadonlyMap<number, Access>, b: ReadonlyMap<number, Access>): boolean {
  return [...a].some(([object, mine]) => {
    const theirs = b.get(object)
    return theirs !== undefined && relation(MODE[mine], MODE[theirs]) !== COMMUTE
  })
}

test('clocks say what happens-before says by definition, step by step', () => {
  const races = new RaceCheck()
  let clashes = 0
  for (let seed = 0; seed < 400; seed++) {
    const random = new Random(seed)
    // Few of many, or the clocks meet at once; reads more often than others, or nothing stays unordered.
    const tasks = 2 + random.below(TASKS - 1)
    const objects = Array.from({ length: 1 + random.below(OBJECTS) }, (_, id): Target => ({ id, name: `o${id}` }))
    const model = new Model()
    races.reset()
    for (const object of objects) races.created(object)
    for (let id = 1; id <= tasks; id++) races.spawned(id, 0)
    for (let step = 0; step < 40; step++) {
      const task = 1 + random.below(tasks)
      const object = item(objects, random.below(objects.length))
      let found: boolean
      let expected: boolean
      if (random.below(4) === 0) {
        const write = random.below(3) === 0
        found = races.plain(task, object, write) !== undefined
        expected = model.access(task, object.id, write)
      } else {
        const touched = new Map<number, Access>()
        for (let i = random.below(3); i >= 0; i--) {
          const { id } = item(objects, random.below(objects.length))
          if (!touched.has(id)) touched.set(id, random.below(2) === 0 ? 'read' : item(ACCESSES, random.below(ACCESSES.length)))
        }
        races.begin(task)
        for (const [id, access] of touched) races.touch(item(objects, id), access)
        found = races.end() !== undefined
        expected = model.marked(task, touched)
      }
      expect(`seed ${seed}, step ${step}: ${found}`).toBe(`seed ${seed}, step ${step}: ${expected}`)
      if (expected) clashes++
    }
  }
  expect(clashes).toBeGreaterThan(1000)
})

test('who is spawned or joins has seen what the other one did', () => {
  const races = new RaceCheck()
  const cell = { id: 0, name: 'cell' }
  races.created(cell)
  races.spawned(1, 0)
  expect(races.plain(1, cell, true)).toBeUndefined()
  races.begin(1)
  races.end()
  races.spawned(9, 1)
  expect(races.plain(9, cell, true)).toBeUndefined()
  races.begin(9)
  races.end()
  expect(races.plain(1, cell, false)).toMatchObject({ name: 'cell', other: 9, write: true, plain: true })
  races.begin(1)
  races.joins(9)
  races.end()
  expect(races.plain(1, cell, false)).toBeUndefined()
})
