/**
 * One program in several forms. A producer makes four items: it takes the lock, reads and writes the counter, gives the lock back and wakes. Two consumers
 * take two each; who finds none gives the lock back and sleeps until there may be one.
 *
 * @typedef {import('@mmu-notifier/kernel').Kernel} Kernel
 * @typedef {ReturnType<typeof setup>} State
 * @typedef {import('@mmu-notifier/explore').Scenario<State>} Toy
 */
export const ITEMS = 4

/** @param {Kernel} kernel */
const setup = (kernel) => ({ m: kernel.mutex('m'), a: kernel.cell('a', 0), q: kernel.waitQueue('q'), plain: kernel.cell('plain', 0) })

/** @param {State} state */
async function consume({ m, a, q }) {
  for (let i = 0; i < ITEMS / 2; i++) {
    for (;;) {
      await m.lock()
      const held = await a.read()
      if (held > 0) {
        await a.write(held - 1)
        await m.unlock()
        break
      }
      await m.unlock()
      await q.until(() => a.value > 0)
    }
  }
}

/** @type {Toy} */
export const flat = {
  setup,
  tasks: {
    async producer({ m, a, q }) {
      for (let i = 0; i < ITEMS; i++) {
        await m.lock()
        const held = await a.read()
        await a.write(held + 1)
        await m.unlock()
        await q.wakeAll()
      }
    },
    c1: consume,
    c2: consume,
  },
}

/** Under the lock there also is a plain counter: from its first access on, every operation moves clocks, and every access is held to the others. @param {State} state */
async function consumePlain({ m, a, q, plain }) {
  for (let i = 0; i < ITEMS / 2; i++) {
    for (;;) {
      await m.lock()
      const held = await a.read()
      if (held > 0) {
        await a.write(held - 1)
        plain.value--
        await m.unlock()
        break
      }
      await m.unlock()
      await q.until(() => a.value > 0)
    }
  }
}

/** @type {Toy} */
export const plain = {
  setup,
  tasks: {
    async producer({ m, a, q, plain }) {
      for (let i = 0; i < ITEMS; i++) {
        await m.lock()
        const held = await a.read()
        await a.write(held + 1)
        plain.value++
        await m.unlock()
        await q.wakeAll()
      }
    },
    c1: consumePlain,
    c2: consumePlain,
  },
  check({ plain }) {
    if (plain.value !== 0) throw new Error(`${plain.value} items are left`)
  },
}

/** @param {State} state @param {number} by */
async function add({ a }, by) {
  const held = await a.read()
  if (held + by < 0) return false
  await a.write(held + by)
  return true
}

/** @param {State} state */
async function put(state) {
  const { m, q } = state
  await m.lock()
  await add(state, 1)
  await m.unlock()
  await q.wakeAll()
}

/** @param {State} state */
async function take(state) {
  const { m } = state
  await m.lock()
  const took = await add(state, -1)
  await m.unlock()
  return took
}

/** @param {State} state */
async function consumeNested(state) {
  const { a, q } = state
  for (let i = 0; i < ITEMS / 2; i++) while (!(await take(state))) await q.until(() => a.value > 0)
}

/** Every operation is in a helper, or in a helper of a helper. @type {Toy} */
export const nested = {
  setup,
  tasks: {
    async producer(state) {
      for (let i = 0; i < ITEMS; i++) await put(state)
    },
    c1: consumeNested,
    c2: consumeNested,
  },
}
