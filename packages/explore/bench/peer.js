/** The same program for `fc.scheduler()`: fast-check orders what it is given as scheduled steps, and has neither locks nor queues, so these are made of such steps. */
import fc from 'fast-check'
import { ITEMS } from './toys.js'

/** Steps so far. */
let steps = 0

/** @param {fc.Scheduler} scheduler */
async function program(scheduler) {
  const step = scheduler.scheduleFunction(async (/** @type {() => unknown} */ perform) => perform())
  let held = false
  let a = 0
  /** @type {(() => void)[]} */
  const waiting = []
  /** @type {(() => void)[]} */
  let sleeping = []

  /** A step for the acquisition, taken when the lock is free; one more where another task came first. */
  async function lock() {
    for (let got = false; !got; ) {
      if (held) await new Promise((/** @type {(value?: unknown) => void} */ resolve) => waiting.push(resolve))
      await step(() => {
        steps++
        got = !held
        held = true
      })
    }
  }
  const unlock = () =>
    step(() => {
      steps++
      held = false
      waiting.shift()?.()
    })
  const read = () => /** @type {Promise<number>} */ (step(() => (steps++, a)))
  const write = (/** @type {number} */ value) => step(() => (steps++, (a = value)))
  const wakeAll = () =>
    step(() => {
      steps++
      for (const wake of sleeping) wake()
      sleeping = []
    })
  /** Asks and falls asleep in one step; another one after each wake-up. */
  async function untilAny() {
    /** @type {Promise<unknown> | undefined} */
    let asleep
    do {
      asleep = undefined
      await step(() => {
        steps++
        if (a === 0) asleep = new Promise((resolve) => sleeping.push(/** @type {() => void} */ (resolve)))
      })
      await asleep
    } while (asleep)
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

/** @param {number} schedules @param {number} seed @returns {Promise<number>} operations in all of them */
export async function run(schedules, seed) {
  steps = 0
  await fc.assert(fc.asyncProperty(fc.scheduler(), program), { numRuns: schedules, seed })
  return steps
}
