/* eslint-disable prefer-rest-params -- a rest parameter cannot stand behind the unused ones that make a function's length */
/*
 * The runtime of compiled code. `compile.ts` turns an async function into a generator and a function that hands it to `run`; what becomes of the
 * generator is decided here: the promise that the async function would have returned, or whatever the machine makes of it.
 */

/** The generator function that an async function was compiled to. It yields what the function awaited, and returns or throws what it did. */
export type Frames = (this: unknown, ...args: never[]) => Generator<unknown, unknown>

/** What takes over the generators of compiled async functions while an exploration runs. */
export interface Machine {
  /** A compiled async function was called, with `self` as its `this`. @returns what the caller gets in place of the promise */
  start(make: Frames, self: unknown, args: ArrayLike<unknown>): unknown
  /**
   * It awaits `value`. @returns true when it goes on at once, with what came of it in {@link Slot.value}; false when it is to yield `value`. Throws what is thrown at the await.
   */
  awaits(value: unknown, slot: Slot): boolean
}

/** Where compiled code finds what it is to go on with, or to yield: until it runs on, nobody else is given anything. */
export interface Slot {
  value: unknown
}

/** The state is the program's and not this module's: bundlers and module runners load a file twice, and all copies must serve the same machine. */
const SHARED = Symbol.for('@mmu-notifier/explore/frames.v2')
const shared = ((globalThis as Record<symbol, unknown>)[SHARED] ??= { machine: undefined, value: undefined }) as Slot & { machine: Machine | undefined }

/** `await x` is compiled to `now(x) ? slot.value : yield slot.value`. */
export const slot: Slot = shared

/** What the generators of closures inherit from, all of them: V8 makes a new one for each closure else, which is the dearest part of its call. */
const FRAMES = Object.create(Object.getPrototypeOf(CALL.prototype as object) as object) as object

type Closure = (...args: never[]) => unknown

/** Gives compiled functions to `machine`, or back to promises. @returns the one before */
export function setMachine(machine: Machine | undefined): Machine | undefined {
  const before = shared.machine
  shared.machine = machine
  return before
}

/** Compiled functions that are called now are a machine's, and run at once. */
export function machineRuns(): boolean {
  return shared.machine !== undefined
}

/** Calls a compiled async function. @returns the machine's answer, or a promise as the async function's */
export function run(make: Frames, self: unknown, args: ArrayLike<unknown>): unknown {
  const { machine } = shared
  return machine === undefined ? promise(make, self, args) : machine.start(make, self, args)
}

/** Compiled code awaits `value`, see {@link slot}. */
export function now(value: unknown): boolean {
  const { machine } = shared
  if (machine !== undefined) return machine.awaits(value, shared)
  shared.value = value
  return false
}

/** A compiled async function expression or method of an object literal: its `this` is the caller's. */
export function fn(make: Frames, name?: string): Closure {
  return closure(make, name, false, undefined)
}

/** A compiled async arrow function, with the `this` of where it was written. */
export function arrow(make: Frames, name?: string, self?: unknown): Closure {
  return closure(make, name, true, self)
}

/** An async arrow function without an `await`: `body` is the arrow function without its `async`. No generator has to be made for each closure. */
export function call(body: Closure, name?: string): Closure {
  if (name === undefined && body.length === 0) return (...args: unknown[]) => run(CALL, body, args)
  const key = name ?? ''
  if (body.length === 0) return { [key](): unknown { return run(CALL, body, arguments) } }[key] as Closure
  if (body.length === 1) return { [key](_0: unknown): unknown { return run(CALL, body, arguments) } }[key] as Closure
  return withLength({ [key](): unknown { return run(CALL, body, arguments) } }[key] as Closure, body.length)
}

/** Gives a class that had no name, and got one from the compiler, the name that it would have had. */
export function named(made: Closure, name: string): void {
  Object.defineProperty(made, 'name', { value: name, configurable: true })
}

/** Takes a method that is none of the program's from its prototype. It goes on to have the prototype for its `super`. */
export function take(prototype: Record<string, unknown>, key: string): unknown {
  const { [key]: method } = prototype
  Reflect.deleteProperty(prototype, key)
  return method
}

// eslint-disable-next-line require-yield -- it is what a function without an await is compiled to
function* CALL(this: unknown, ...args: never[]): Generator<unknown, unknown> {
  return (this as Closure)(...args)
}

async function promise(make: Frames, self: unknown, args: ArrayLike<unknown>): Promise<unknown> {
  const frame = Reflect.apply(make, self, args) as Generator<unknown, unknown>
  let step = frame.next()
  while (!step.done) {
    let value: unknown
    let failed = false
    try {
      value = await step.value
    } catch (error) {
      failed = true
      value = error
    }
    step = failed ? frame.throw(value) : frame.next(value)
  }
  return step.value
}

/** As methods of an object: they are no constructors and have no `prototype`, as async functions have none. */
function closure(make: Frames, name: string | undefined, bound: boolean, self: unknown): Closure {
  make.prototype = FRAMES
  const key = name ?? ''
  if (make.length === 0) return { [key](this: unknown): unknown { return run(make, bound ? self : this, arguments) } }[key] as Closure
  if (make.length === 1) return { [key](this: unknown, _0: unknown): unknown { return run(make, bound ? self : this, arguments) } }[key] as Closure
  return withLength({ [key](this: unknown): unknown { return run(make, bound ? self : this, arguments) } }[key] as Closure, make.length)
}

function withLength(made: Closure, length: number): Closure {
  return Object.defineProperty(made, 'length', { value: length, configurable: true })
}
