/** The same program for `fc.scheduler()`: fast-check orders what it is given as scheduled steps, and has neither locks nor queues, so these are made of such steps. */
import fc from 'fast-check'
import { ITEMS } from './toys.js'

/** Operations so far, and steps: one that finds the lock taken is no operation. */
const so = { operations: 0, steps: 0 }

/** @param {fc.Scheduler} scheduler */
async function program(scheduler) {
  let held = false
  let a = 0
  /** @type {(() => void)[]} */
  const waiting = []
  /** @type {(() => void)[]} */
  let sleeping = []
  /** @param {(() => void)[]} queue */
  const asleep = (queue) => new Promise((/** @type {(value?: unknown) => void} */ resolve) => queue.push(resolve))

  /** Waits to be chosen. What follows, up to the next one, is the step. */
  function chosen() {
    so.steps++
    return scheduler.schedule(Promise.resolve())
  }
  /** @template T @param {() => T} perform */
  async function step(perform) {
    await chosen()
    so.operations++
    return perform()
  }

  /** Who finds the lock taken asks again when it was released: the scheduler chooses among all that ask, and knows of no condition. */
  async function lock() {
    do {
      while (held) await asleep(waiting)
      await chosen()
    } while (held)
    so.operations++
    held = true
  }
  const unlock = () =>
    step(() => {
      held = false
      waiting.shift()?.()
    })
  const read = () => step(() => a)
  const write = (/** @type {number} */ value) => step(() => (a = value))
  const wakeAll = () =>
    step(() => {
      for (const wake of sleeping) wake()
      sleeping = []
    })
  /** Asks and falls asleep in one step; another one after each wake-up. */
  async function untilAny() {
    while (!(await step(() => a > 0))) await asleep(sleeping)
  }

  async function produce() {
    for (let i = 0; i < ITEMS; i++) {
      await lock()
      await write((await read()) + 1)
      await unlock()
      await wakeAll()
    }
  }
  async function consume() {
    for (let i = 0; i < ITEMS / 2; i++) {
      for (;;) {
        await lock()
        const found = await read()
        if (found > 0) {
          await write(found - 1)
          await unlock()
          break
        }
        await unlock()
        await untilAny()
      }
    }
  }
  await scheduler.waitFor(Promise.all([produce(), consume(), consume()]))
  if (a !== 0) throw new Error(`${a} items are left`)
}

/** @param {number} schedules @param {number} seed @returns {Promise<{ operations: number, steps: number }>} in all of them */
export async function run(schedules, seed) {
  so.operations = so.steps = 0
  await fc.assert(fc.asyncProperty(fc.scheduler(), program), { numRuns: schedules, seed })
  return so
}
