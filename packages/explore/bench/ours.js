import { explore } from '@mmu-notifier/explore'
import { Engine } from '../dist/engine.js'
import { Random } from '../dist/random.js'
import { RandomWalk } from '../dist/walks.js'
import * as toys from './toys.js'

/**
 * @param {'flat' | 'plain' | 'nested'} name @param {'promise' | 'generator'} engine @param {boolean} lockdep
 * @returns {(schedules: number, seed: number) => Promise<void>}
 */
export function runner(name, engine, lockdep) {
  return async (schedules, seed) => {
    const { verdict, executions, report } = await explore(toys[name], { strategy: 'random', budget: schedules, seed, engine, lockdep })
    if (verdict !== 'sampled' || executions !== schedules) throw new Error(report)
  }
}

/**
 * @param {'flat' | 'plain' | 'nested'} name @param {'promise' | 'generator'} kind @param {number} schedules
 * @returns {Promise<number>} operations in one schedule, on average
 */
export async function operations(name, kind, schedules) {
  const engine = new Engine(/** @type {import('@mmu-notifier/explore').Scenario} */ (toys[name]), { lockdep: true, trylockWrites: false, maxSteps: 10_000, kind })
  const random = new Random(1)
  let sum = 0
  for (let i = 0; i < schedules; i++) {
    const { end } = await engine.run(new RandomWalk(random))
    if (end !== 'passed') throw new Error(`${name} has ${end}`)
    sum += engine.choices.length
  }
  return sum / schedules
}
