/**
 * The same program with no checker around it: a loop that chooses a task among those that can go on, performs its operation and lets it run up to the next one. It catches, keeps and reports nothing.
 * What the engine takes beyond it, it takes for what it finds out. It is no lower bound: with operations that are numbers, and one switch for all of them, it would be a fifth to a quarter faster.
 */
import { NEXT } from '../dist/frame.js'
import { Random } from '../dist/random.js'
import { flat, ITEMS } from './toys.js'

const AGAIN = Symbol('again')
const TASKS = 3

/**
 * @typedef {{ readonly enabled: undefined | ((target: any, a: any, b: any) => boolean), readonly perform: (target: any, a: any, b: any) => unknown }} Operation
 * @typedef {{ woken: boolean }} Sleeper
 */

class Task {
  /** @type {Operation} */ operation = READ
  /** @type {{ clock: number[] }} */ target = this
  /** @type {unknown} */ a = undefined
  /** @type {unknown} */ b = undefined
  /** @type {Generator<unknown, void>} */ generator = NOTHING
  /** @type {(value: unknown) => void} */ resolve = Boolean
  clock = zeros()

  /** @param {number} id */
  constructor(id) {
    this.id = id
  }
}

class Mutex {
  held = false
  clock = zeros()

  lock() {
    return start(LOCK, this, undefined, undefined)
  }

  unlock() {
    return start(UNLOCK, this, undefined, undefined)
  }
}

class Cell {
  value = 0
  clock = zeros()

  read() {
    return start(READ, this, undefined, undefined)
  }

  /** @param {number} value */
  write(value) {
    return start(WRITE, this, value, undefined)
  }
}

class Queue {
  /** @type {Sleeper[]} */ sleepers = []
  clock = zeros()

  /** @param {() => boolean} predicate */
  until(predicate) {
    return start(UNTIL, this, predicate, { woken: true })
  }

  wakeAll() {
    return start(WAKE_ALL, this, undefined, undefined)
  }
}

/** @type {Operation} */
const LOCK = { enabled: (/** @type {Mutex} */ mutex) => !mutex.held, perform: (/** @type {Mutex} */ mutex) => { mutex.held = true } }
/** @type {Operation} */
const UNLOCK = { enabled: undefined, perform: (/** @type {Mutex} */ mutex) => { mutex.held = false } }
/** @type {Operation} */
const READ = { enabled: undefined, perform: (/** @type {Cell} */ cell) => cell.value }
/** @type {Operation} */
const WRITE = { enabled: undefined, perform: (/** @type {Cell} */ cell, /** @type {number} */ value) => { cell.value = value } }
/** @type {Operation} */
const UNTIL = {
  enabled: (/** @type {Queue} */ _queue, /** @type {() => boolean} */ _predicate, /** @type {Sleeper} */ sleeper) => sleeper.woken,
  perform(/** @type {Queue} */ queue, /** @type {() => boolean} */ predicate, /** @type {Sleeper} */ sleeper) {
    if (predicate()) return undefined
    sleeper.woken = false
    queue.sleepers.push(sleeper)
    return AGAIN
  },
}
/** @type {Operation} */
const WAKE_ALL = {
  enabled: undefined,
  perform(/** @type {Queue} */ queue) {
    if (queue.sleepers.length === 0) return
    for (const sleeper of queue.sleepers) sleeper.woken = true
    queue.sleepers = []
  },
}
const NOTHING = (/** @returns {Generator<unknown, void>} */ function* () {})()

/** @typedef {{ readonly m: Mutex, readonly a: Cell, readonly q: Queue }} State */

/** @param {State} state @returns {Generator<unknown, void, any>} */
function* produce({ m, a, q }) {
  for (let i = 0; i < ITEMS; i++) {
    yield m.lock()
    const held = yield a.read()
    yield a.write(held + 1)
    yield m.unlock()
    yield q.wakeAll()
  }
}

/** @param {State} state @returns {Generator<unknown, void, any>} */
function* consume({ m, a, q }) {
  for (let i = 0; i < ITEMS / 2; i++) {
    for (;;) {
      yield m.lock()
      const held = yield a.read()
      if (held > 0) {
        yield a.write(held - 1)
        yield m.unlock()
        break
      }
      yield m.unlock()
      yield q.until(() => a.value > 0)
    }
  }
}

// Of the one execution that there is at a time.
let random = new Random(1)
let clocks = false
let operations = 0
let running = new Task(0)
/** @type {unknown} */
let value
/** @type {Task[]} */
let live = []
/** Hands control on where a task starts its operation: on promises only. */
let handsOn = false
const enabled = [0, 0, 0]

function zeros() {
  return [0, 0, 0]
}

/** The running task is to perform an operation when it is chosen. @param {Operation} operation @param {{ clock: number[] }} target @param {unknown} a @param {unknown} b */
function start(operation, target, a, b) {
  const task = running
  task.operation = operation
  task.target = target
  task.a = a
  task.b = b
  return handsOn ? chosen(task) : undefined
}

/** Takes a step. @returns the task that goes on with {@link value}; undefined when all have ended */
function step() {
  for (;;) {
    let count = 0
    for (let at = 0; at < live.length; at++) {
      const { operation, target, a, b } = live[at]
      if (operation.enabled === undefined || operation.enabled(target, a, b)) enabled[count++] = at
    }
    if (count === 0) return undefined
    const task = live[enabled[count === 1 ? 0 : random.below(count)]]
    const { operation, target, a, b } = task
    if (clocks) meet(task.clock, target.clock, task.id)
    running = task
    value = operation.perform(target, a, b)
    operations++
    if (value !== AGAIN) return task
  }
}

/** @param {number[]} mine @param {number[]} its @param {number} id */
function meet(mine, its, id) {
  mine[id]++
  for (let i = 0; i < TASKS; i++) mine[i] = its[i] = Math.max(mine[i], its[i])
}

/** @param {Task} task */
function ended(task) {
  live = live.filter((other) => other !== task)
}

function onGenerators() {
  const state = { m: new Mutex(), a: new Cell(), q: new Queue() }
  live = []
  for (const body of [produce, consume, consume]) {
    const task = new Task(live.length)
    live.push((running = task))
    task.generator = body(state)
    task.generator.next()
  }
  for (let task = step(); task !== undefined; task = step()) if (NEXT.call(task.generator, value).done) ended(task)
  return state.a.value
}

/** The task waits, and the next one goes on. @param {Task} task */
function chosen(task) {
  const promise = new Promise((resolve) => { task.resolve = resolve })
  goOn()
  return promise
}

let begun = 0

function goOn() {
  if (begun === TASKS) step()?.resolve(value)
}

async function onPromises() {
  const state = { m: new Mutex(), a: new Cell(), q: new Queue() }
  live = []
  begun = 0
  const { producer, c1, c2 } = /** @type {Record<string, (state: any) => Promise<void>>} */ (flat.tasks)
  const all = [producer, c1, c2].map(async (body) => {
    const task = new Task(live.length)
    live.push((running = task))
    const end = body(state)
    begun++
    if (begun === TASKS) goOn()
    await end
    ended(task)
    goOn()
  })
  await Promise.all(all)
  return state.a.value
}

/** @param {'generators' | 'promises'} on @param {boolean} withClocks */
export function runner(on, withClocks) {
  handsOn = on === 'promises'
  clocks = withClocks
  return async (/** @type {number} */ schedules, /** @type {number} */ seed) => {
    random = new Random(seed)
    let sum = 0
    for (let i = 0; i < schedules; i++) {
      operations = 0
      const left = handsOn ? await onPromises() : onGenerators()
      if (left !== 0 || live.length > 0) throw new Error(`${left} items and ${live.length} tasks are left`)
      sum += operations
    }
    return { operations: sum }
  }
}
