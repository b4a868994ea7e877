import { afterEach, expect, test } from 'vitest'
import { run, setMachine, type Frames, type Machine, type Slot } from '../src/frames.ts'
import { compiledText, load } from './both.ts'

afterEach(() => { setMachine(undefined) })

/** Runs generators to their end on the spot, as far as what they yield is no promise. */
class Eager implements Machine {
  readonly started: { name: string; self: unknown; args: unknown[] }[] = []

  start(make: Frames, self: unknown, args: ArrayLike<unknown>): unknown {
    this.started.push({ name: make.name, self, args: Array.from(args) })
    const frame = Reflect.apply(make, self, args) as Generator<unknown, unknown>
    let step = frame.next()
    while (!step.done) step = frame.next(step.value)
    return step.value
  }

  awaits(value: unknown, slot: Slot): boolean {
    slot.value = value
    return typeof value !== 'number'
  }
}

const PROGRAM = `
class A { #x = 1; async m(y) { return this.#x + (await y) } }
const o = { async n() { return await 3 } }
async function f(a, b) { const g = async (c) => (await c) + 1, h = async () => b; return [await g(a), await h(), await new A().m(4), await o.n(), typeof this] }
export default f`

test('every compiled function goes to the machine, and nothing does when it is taken away', async () => {
  const { default: f } = await load(compiledText(PROGRAM))
  const machine = new Eager()
  expect(setMachine(machine)).toBeUndefined()
  expect(Reflect.apply(f, 'me', [1, 2])).toEqual([2, 2, 5, 3, 'string'])
  expect(machine.started.map(({ name, args }) => [name, args])).toEqual([
    ['f$task', [1, 2]],
    ['g$task', [1]],
    ['CALL', []],
    ['#m$task', [4]],
    ['n$task', []],
  ])
  expect(machine.started[0]?.self).toBe('me')
  expect(setMachine(undefined)).toBe(machine)
  const promise = Reflect.apply(f, undefined, [1, 2]) as Promise<unknown>
  expect(promise).toBeInstanceOf(Promise)
  expect(await promise).toEqual([2, 2, 5, 3, 'undefined'])
})

test('a second copy of the runtime serves the same machine', async () => {
  const machine = new Eager()
  const copy = (await import(/* @vite-ignore */ `${new URL('../src/frames.ts', import.meta.url).pathname}?copy`)) as { run: typeof run; setMachine: typeof setMachine }
  expect(copy.run).not.toBe(run)
  setMachine(machine)
  const five = function* (): Generator<unknown, unknown> { return (yield 5) as unknown }
  expect(copy.run(five, undefined, [])).toBe(5)
  expect(copy.setMachine(undefined)).toBe(machine)
})
