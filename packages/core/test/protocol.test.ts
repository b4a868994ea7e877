import { describe, expect, test } from 'vitest'
import type { Entry } from '../src/entry.ts'
import { Protocol } from '../src/protocol.ts'

const ops = { name: 'ours' }

let ids = 0
function entry(start: number, last: number, of: unknown = ops): Entry {
  return { id: ids++, place: { value: { start, last } }, updated: { value: undefined }, ops: of, seq: { value: 1 }, references: 1, phase: 'new', removal: undefined, seen: false, handle: -1, assertAlive: () => undefined }
}

function live(protocol: Protocol, start: number, last: number): Entry {
  const e = entry(start, last)
  protocol.insert(e)
  return e
}

test('nothing is kept of what has left the tree, and who walks it can tell', () => {
  const p = new Protocol()
  const x = live(p, 0, 4095)
  const y = live(p, 8192, 12287)
  const version = p.version.value
  p.removeDeferred(x)
  expect([x.phase, p.entries.filter((e) => e !== undefined)]).toEqual(['released', [y]])
  expect(p.version.value).not.toBe(version)
})

describe('the time lines of the specification', () => {
  test('T1: a collision', () => {
    const p = new Protocol()
    const x = live(p, 0, 4095)
    expect(p.readBegin(x)).toEqual({ seq: 1, invalidating: false })
    expect(p.start({ start: 0, end: 4096 })).toBe(x)
    expect([p.active, p.seq.value]).toEqual([1, 3])
    x.seq.value = p.seq.value
    expect(p.readBegin(x)).toEqual({ seq: 3, invalidating: true })
    expect(p.end()).toEqual({ applied: [], released: [] })
    expect([p.active, p.seq.value]).toEqual([0, 4])
    expect(p.readBegin(x)).toEqual({ seq: 3, invalidating: false })
  })

  test('T2: an unrelated invalidation prolongs the period', () => {
    const p = new Protocol()
    const x = live(p, 0, 4095)
    live(p, 8192, 12287)
    p.start({ start: 0, end: 4096 })
    x.seq.value = p.seq.value
    p.start({ start: 8192, end: 8193 })
    expect(p.seq.value).toBe(3)
    expect(p.end()).toBeUndefined()
    expect(p.readBegin(x).invalidating).toBe(true)
    expect(p.end()).toBeDefined()
    expect(p.seq.value).toBe(4)
  })

  test('T3: an insert during an invalidation that hit nothing is in the tree at once, and born under it', () => {
    const p = new Protocol()
    expect(p.start({ start: 0, end: 4096 })).toBeUndefined()
    expect(p.seq.value).toBe(2)
    const x = live(p, 0, 4095)
    expect([p.seq.value, x.seq.value, x.phase]).toEqual([3, 3, 'live'])
    expect(p.start({ start: 0, end: 4096 })).toBe(x)
    p.end()
    expect(p.readBegin(x).invalidating).toBe(true)
    p.end()
    expect([p.seq.value, p.readBegin(x).invalidating]).toEqual([4, false])
  })

  test('T4: an insert that is still deferred is removed without a wait', () => {
    const p = new Protocol()
    p.lockTree()
    const x = live(p, 0, 4095)
    expect([x.phase, p.tree.size]).toEqual(['pending', 0])
    expect(p.remove(x)).toBeUndefined()
    expect(p.deferred).toEqual([])
    expect(p.end()).toEqual({ applied: [], released: [] })
    expect(p.tree.size).toBe(0)
  })

  test('T4 ends where find begins: a deferred insert that was found stays until the tree thaws', () => {
    const p = new Protocol()
    p.lockTree()
    const [x, y, z] = [live(p, 0, 4095), live(p, 4096, 8191), live(p, 8192, 12287)]
    for (const e of [x, y, z]) expect(p.find(ops, e.place.value.start, e.place.value.last)).toBe(e)
    expect([p.remove(x), p.removeDeferred(y), p.put(z)]).toEqual([3, [], []])
    expect(p.find(ops, 0, 12287)).toBeUndefined()
    expect(p.end()).toEqual({ applied: [x, y, z], released: [y, z] })
    expect(p.tree.size).toBe(0)
  })

  test('T5, T6: a deferred removal is still called, and leaves with the period', () => {
    const p = new Protocol()
    const x = live(p, 0, 4095)
    p.lockTree()
    expect(p.remove(x)).toBe(3)
    expect(p.start({ start: 0, end: 1 })).toBe(x)
    expect(p.end()).toBeUndefined()
    expect(p.end()).toEqual({ applied: [x], released: [] })
    expect([p.tree.size, x.phase]).toEqual([0, 'dead'])
  })
})

describe('references', () => {
  test('the last put of an idle tree removes and releases at once', () => {
    const p = new Protocol()
    const x = live(p, 0, 4095)
    p.get(x)
    expect(p.put(x)).toEqual([])
    expect(p.tree.size).toBe(1)
    expect(p.put(x)).toEqual([x])
    expect([p.tree.size, x.phase]).toEqual([0, 'released'])
  })

  test('the last put of a frozen tree is deferred; release comes with the end of the period', () => {
    const p = new Protocol()
    const x = live(p, 0, 4095)
    p.lockTree()
    expect(p.put(x)).toEqual([])
    expect([x.phase, p.tree.size]).toEqual(['dying', 1])
    expect(p.end()).toEqual({ applied: [x], released: [x] })
  })

  test('a removed interval waits for the last reference, whoever has it', () => {
    const p = new Protocol()
    const x = live(p, 0, 4095)
    p.get(x)
    expect(p.removeDeferred(x)).toEqual([])
    expect([x.phase, x.references]).toEqual(['dead', 1])
    expect(p.put(x)).toEqual([x])
  })

  test('a reference that goes before the period ends leaves the release to its end', () => {
    const p = new Protocol()
    const x = live(p, 0, 4095)
    p.lockTree()
    p.get(x)
    p.removeDeferred(x)
    expect(p.put(x)).toEqual([])
    expect(p.end()).toEqual({ applied: [x], released: [x] })
  })

  test('get and put at 0, a second removal, remove with other references', () => {
    const p = new Protocol()
    const x = live(p, 0, 4095)
    p.get(x)
    expect(() => p.remove(x)).toThrow('remove of the notifier [0x0, 0xfff]: 1 other references are held')
    expect([x.phase, x.removal]).toEqual(['live', undefined])
    p.removeDeferred(x)
    expect(() => p.removeDeferred(x)).toThrow('the notifier [0x0, 0xfff] is being removed already')
    p.put(x)
    expect(() => p.put(x)).toThrow('more puts than references')
    expect(() => { p.get(x) }).toThrow('the last one has gone')
  })

  test('the owner\'s reference is put while its removal, which gives it back, is deferred', () => {
    const p = new Protocol()
    const x = live(p, 0, 4095)
    p.lockTree()
    p.removeDeferred(x)
    p.put(x)
    expect(() => p.end()).toThrow("its owner's reference was put already")
  })
})

test('who has found an interval takes a reference although its last one is put meanwhile', () => {
  const p = new Protocol()
  const x = live(p, 0, 4095)
  p.lockTree()
  expect(p.find(ops, 0, 0)).toBe(x)
  expect(p.put(x)).toEqual([])
  p.get(x)
  expect(p.end()).toEqual({ applied: [x], released: [] })
  expect(p.put(x)).toEqual([x])
})

test('no reference to what remove() is waiting for, which counts none', () => {
  const p = new Protocol()
  const x = live(p, 0, 4095)
  p.lockTree()
  const found = p.find(ops, 0, 0)
  p.remove(x)
  expect(found).toBe(x)
  expect(() => { p.get(x) }).toThrow('get of the notifier [0x0, 0xfff]: remove() is taking it away')
})

test('a walk that stands on what has left the tree is CORRUPT', () => {
  const p = new Protocol()
  const x = live(p, 0, 4095)
  p.removeDeferred(x)
  expect(() => p.next(x, { start: 0, end: 4096 })).toThrow('CORRUPT  a walk stands on the notifier [0x0, 0xfff], which has left the tree')
})

test('synchronize waits for put and removeDeferred, not for remove', () => {
  const p = new Protocol()
  const [x, y, z] = [live(p, 0, 1), live(p, 2, 3), live(p, 4, 5)]
  const w = live(p, 6, 7)
  p.remove(w)
  p.lockTree()
  p.remove(x)
  p.removeDeferred(y)
  p.put(z)
  expect([...p.leaving]).toEqual([y, z])
})

describe('find and batch', () => {
  test('find sees the tree as if every operation had been applied', () => {
    const p = new Protocol()
    const [a, b] = [live(p, 0, 4095), live(p, 8192, 12287)]
    p.lockTree()
    const c = live(p, 4096, 8191)
    p.removeDeferred(a)
    expect([p.find(ops, 0, 4095), p.find(ops, 0, 99999), p.find(ops, 0, 99999, c)]).toEqual([undefined, c, b])
    expect(p.find(ops, 0, 99999, b)).toBeUndefined()
  })

  test('find never returns the interval of another driver', () => {
    const p = new Protocol()
    p.insert(entry(0, 4095, { name: 'theirs' }))
    expect(p.find(ops, 0, 4095)).toBeUndefined()
    const ours = live(p, 0, 4095)
    expect(p.find(ops, 0, 4095)).toBe(ours)
  })

  test('equal starts come in order of registration, pending ones too', () => {
    const p = new Protocol()
    const a = live(p, 0, 4095)
    p.lockTree()
    const b = live(p, 0, 8191)
    expect([p.find(ops, 0, 0), p.find(ops, 0, 0, a), p.find(ops, 0, 0, b)]).toEqual([a, b, undefined])
  })

  test('also when it came to lie there later', () => {
    const p = new Protocol()
    const [a, b, c] = [live(p, 0, 4095), live(p, 4096, 8191), live(p, 4096, 12287)]
    const order = (): unknown[] => [p.find(ops, 0, 8191), p.find(ops, 0, 8191, a), p.find(ops, 0, 8191, b), p.find(ops, 0, 8191, c)]
    p.lockTree()
    p.batch({ update: [{ entry: a, interval: { start: 4096, last: 8191 } }] })
    expect(order()).toEqual([a, b, c, undefined])
    p.end()
    expect(order()).toEqual([a, b, c, undefined])
  })

  test('a hole: nothing of the batch shows before the end, all of it after', () => {
    const p = new Protocol()
    const x = live(p, 0, 0x2fff)
    const [left, right] = [entry(0, 0xfff), entry(0x2000, 0x2fff)]
    p.start({ start: 0x1000, end: 0x2000 })
    x.seq.value = p.seq.value
    p.batch({ remove: [x], insert: [left, right] })
    expect([left.seq.value, right.seq.value]).toEqual([3, 3])
    expect(p.start({ start: 0x2000, end: 0x2001 })).toBe(x)
    p.end()
    expect(p.end()).toEqual({ applied: [x, left, right], released: [x] })
    expect([p.start({ start: 0x2000, end: 0x2001 }), p.tree.size]).toEqual([right, 2])
  })

  test('a batch that cannot be done does nothing', () => {
    const p = new Protocol()
    const [a, b] = [live(p, 0, 4095), live(p, 8192, 12287)]
    p.lockTree()
    p.removeDeferred(b)
    expect(() => p.batch({ remove: [a, b], insert: [entry(0, 1)] })).toThrow('being removed already')
    expect(() => p.batch({ remove: [a, a], insert: [] })).toThrow('removes or updates a notifier twice')
    expect([a.phase, p.deferred.length]).toEqual(['live', 1])
  })
})

test('even means thawed: no deferred operation, and the number never comes back', () => {
  const p = new Protocol()
  const seen = new Set<number>()
  for (let i = 0; i < 50; i++) {
    live(p, i, i)
    p.lockTree()
    live(p, i, i + 1)
    p.end()
    expect([p.frozen, p.deferred.length, p.active, seen.has(p.seq.value)]).toEqual([false, 0, 0, false])
    seen.add(p.seq.value)
  }
  expect(p.tree.size).toBe(100)
})
