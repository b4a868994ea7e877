import { expect, test } from 'vitest'
import { explore, replay, type Scenario } from '../src/index.ts'
import * as bugs from './bugs.ts'

const SEEDS = Number(process.env['EXPLORE_SEEDS'] ?? 40)
/** How often the token of the first seed is replayed. */
const REPLAYS = 100

const rows: [name: string, make: () => Scenario, code: string, schedules: number, switches: number][] = [
  ['reorder_3', () => bugs.reorder(2, 1), 'THROWN', 1000, 3],
  ['reorder_5', () => bugs.reorder(4, 1), 'THROWN', 1000, 3],
  ['reorder_10', () => bugs.reorder(9, 1), 'THROWN', 1000, 3],
  ['reorder_20', () => bugs.reorder(10, 10), 'THROWN', 2000, 3],
  ['reorder(19,1)', () => bugs.reorder(19, 1), 'THROWN', 2000, 3],
  ['twostage(1,1)', () => bugs.twostage(1, 1), 'THROWN', 1000, 3],
  ['twostage(5,5)', () => bugs.twostage(5, 5), 'THROWN', 1000, 3],
  ['wronglock(1,3)', () => bugs.wronglock(1, 3), 'THROWN', 1000, 3],
  ['wronglock(1,7)', () => bugs.wronglock(1, 7), 'THROWN', 1000, 3],
  ['bluetooth', () => bugs.bluetooth(), 'THROWN', 1000, 3],
  ['lazy01', () => bugs.lazy01(), 'THROWN', 1000, 3],
  ['account', () => bugs.account(), 'THROWN', 1000, 3],
  ['lost update', () => bugs.lostUpdate(), 'CHECK', 1000, 3],
  ['philosophers(3)', () => bugs.philosophers(3), 'DEADLOCK', 1000, 2],
  ['philosophers(7)', () => bugs.philosophers(7), 'DEADLOCK', 1000, 6],
  ['lost wake-up', () => bugs.lostWakeup(), 'LOST_WAKEUP', 1000, 3],
]

test.each(rows)('the default portfolio finds %s, its token replays, and it is short', async (name, make, code, schedules, switches) => {
  const needed: number[] = []
  let most = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const found = await explore(make(), { seed, lockdep: false })
    expect(found.verdict, `${name}, seed ${seed}`).toBe('failed')
    const { token, deviations } = found.counterexample ?? expect.unreachable()
    expect([found.counterexample?.code, `seed ${seed}`]).toEqual([code, `seed ${seed}`])
    expect(deviations.length, `seed ${seed}: ${token}`).toBeLessThanOrEqual(switches)
    for (let i = 0; i < (seed === 1 ? REPLAYS : 1); i++) {
      const again = await replay(make(), token, { lockdep: false })
      expect([again?.code, again?.token]).toEqual([code, token])
    }
    needed.push(found.executions)
    most = Math.max(most, deviations.length)
  }
  needed.sort((a, b) => a - b)
  const median = needed[needed.length >> 1] ?? Infinity
  if (process.env['EXPLORE_TABLE']) console.log(`${name}: ${median} schedules (median; at most ${needed.at(-1)}), ${most} switches at most`)
  expect(median).toBeLessThanOrEqual(schedules)
})
