import { describe, expect, test } from 'vitest'
import { count } from './count.ts'
import { irrelevantLoad, litmus, redundantLoad } from './litmus.ts'

/**
 * GenMC's litmus tests under SC: name, program, and the numbers of executions that it publishes: all, and those with at most 0, 1, … preemptions. Two of its executions differ
 * in who reads from whom or in the order of writes to one variable; under SC that is the same as two Mazurkiewicz traces. Branches
 * that do not decide what is accessed are left out, and so are plain accesses that race.
 */
const ROWS: readonly (readonly [name: string, program: string, all: number, bounded: readonly number[]])[] = [
  ['SB', 'Wx Ry | Wy Rx', 3, [2, 3]],
  ['MP', 'Wx Wy | Ry Rx', 3, [2, 3]],
  ['LB', 'Ry Wx | Rx Wy', 3, [2, 3]],
  ['LB3', 'Ra Wb | Rb Wc | Rc Wa', 7, [6, 7]],
  ['S', 'Wx2 Wy | Ry Wx', 3, [2, 3]],
  ['2+2W', 'Wx Wy2 | Wy Wx2', 3, [2, 3]],
  ['CoRR', 'Wx Wx2 | Rx Rx', 6, [2, 4, 6]],
  ['CoRR0', 'Wx | Rx | Rx', 4, [4]],
  ['CoRR1', 'Wx | Wx2 | Rx Rx | Rx', 36, [18, 36]],
  ['CoRR2', 'Wx | Wx2 | Rx Rx | Rx Rx', 72, [18, 54, 72]],
  ['CoRW', 'Rx Wx | Wx2', 3, [2, 3]],
  ['CoWR', 'Wx Rx | Wx2', 3, [2, 3]],
  ['2CoWR', 'Ry | Rx | Wx | Wy', 4, [4]],
  ['IRIW', 'Wx | Rx Ry | Ry Rx | Wy', 15, [14, 15]],
  ['IRIWish', 'Wx | Rx Wy | Rx Ry | Ry Rx', 27, [18, 27]],
  ['JLT', 'Wx Ry Rx | Wx2 Rx | Wy3', 8, [4, 8]],
  ['LB+fr-fr-data+data', 'Rx Wy | Ry Ry Wx | Wy2', 16, [6, 15, 16]],
  ['LB+incMPs', 'Rx Uz | Uz Wy | Ry Uw | Uw Wx', 15, [14, 15]],
  ['MP+incMP', 'Ry Uz | Uz Rx | Wx Wy', 7, [6, 7]],
  ['MP2', 'Wa Wc Wb Wd | Rb Ra | Rd Rc', 9, [4, 9]],
  ['MPU+rels+acq', 'Wy0 Wy1 | Uy | Ry', 12, [6, 12]],
  ['MPU2+rels+acq', 'Wy0 Wy1 | Cy2:3 | Cy1:2 | Ry', 35, [14, 35]],
  ['RWC', 'Wx | Rx Ry | Wy Rx', 7, [6, 7]],
  ['W+RRR+W', 'Wx | Rx Rx Rx | Wx2', 20, [6, 18, 20]],
  ['W+RWC', 'Wx Wz | Rz Ry | Wy Rx', 7, [6, 7]],
  ['WWmerge1', 'Rx Ry | Wx Wx2 | Wy Rx', 15, [6, 13, 15]],
  ['WWmerge2', 'Rx Ry | Wx2 | Wy Rx', 7, [6, 7]],
  ['Z6.U', 'Wx Wy | Uy Ry | Wy3 Rx', 18, [6, 15, 18]],
  ['Z6+acq', 'Wa Wb | Rb Wc | Wc2 Ra', 7, [6, 7]],
  ['default', 'Rx Rx | Wx | Wx2', 12, [6, 12]],
  ['detour', 'Wx | Rz Wx Rx Wy | Ry Wz', 9, [4, 9]],
  ['inc2w', 'Ux | Wx4 | Ux', 6, [6]],
  ['isa2', 'Wa Wb | Rb Wc | Rc Ra', 7, [6, 7]],
  ['peterZ', 'Wx Ry | Wy Wz | Rz Rx', 7, [6, 7]],
  ['relseq', 'Wx Wy Wy2 | Uy | Ry Rx', 16, [6, 15, 16]],
  ['rinc+wr', 'Ux | Wx2 Rx', 3, [2, 3]],
  ['small0', 'Rx | Rx Wx | Wx2', 9, [6, 9]],
  ['small1', 'Ry Rz Rx | Wx | Wy Wz', 8, [4, 8]],
  ['cii', 'Cx1:2 | Ux | Ux', 6, [6]],
  ['wcii', 'Wx5 | Cx1:2 | Ux | Ux', 24, [24]],
  ['MCP-rrw', 'Wx | Wx2 | Rx', 6, [6]],
  ['rel-B-cumul-acq', 'Wx Wy | Ry Wz | Rz Rx | Ry', 14, [12, 14]],
  ['viktor-relseq', 'Ux Ux | Ux Ux | Ux | Ux', 180, [24, 96, 180]],
  ['fr+w+w+w+reads', 'Wx | Wx2 | Wx3 | Rx Rx Rx Rx', 210, [24, 132, 204, 210]],
  ['inc+inc+RR+W+RR', 'Ux | Ux | Rx Rx | Wx42 | Rx Rx', 600, [96, 384, 600]],
  ['wrw(2)', 'Wx | Rx Wx2 | Rx Wx3', 22, [6, 18, 22]],
  ['wrw(4)', 'Wx | Rx Wx2 | Rx Wx3 | Rx Wx4 | Rx Wx5', 6576, []],
  ['wrw(3)', 'Wx | Rx Wx2 | Rx Wx3 | Rx Wx4', 300, [24, 132, 264, 300]],
]

describe('the executions of a litmus test, as published (GenMC)', () => {
  test.each(ROWS)('%s', async (_name, text, expected, bounded) => {
    const { executions, blocked, traces } = await count(litmus(text))
    expect({ executions, blocked, traces: traces.size }).toEqual({ executions: expected, blocked: 0, traces: expected })
    const found: number[] = []
    for (let preemptions = 0; preemptions < bounded.length; preemptions++) found.push((await count(litmus(text), { preemptions })).traces.size)
    expect(found).toEqual(bounded)
  })
})

describe('what a load that changes nothing must not change (loom)', () => {
  test.each([false, true])('issue 166, with the load: %s', async (load) => {
    const { scenario, seen } = redundantLoad(load)
    const { executions, blocked } = await count(scenario)
    expect([[...seen].sort(), executions, blocked]).toEqual([['(0,0)', '(0,1)', '(1,0)', '(1,1)'], 7, 0])
  })

  test('issue 392', async () => {
    const { scenario, seen } = irrelevantLoad()
    await count(scenario)
    expect([...seen].sort()).toEqual(['0', '1'])
  })
})
