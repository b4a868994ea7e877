import { expect, test } from 'vitest'
import { defineDriver, exercise, findFailure, mirrorPages } from '../src/index.ts'
import { careless } from './careless.ts'

test('exercise finds a driver that stops listening before it unmaps', async () => {
  const driver = (removesFirst: boolean) => defineDriver({
    name: 'closing',
    async attach(host) {
      const { kernel, mm, mmu } = host
      const lock = kernel.mutex('driver.lock')
      const everything = { start: 0, last: Number.MAX_SAFE_INTEGER }
      const notifier = await mm.notifiers.insert(everything, {
        invalidate: (n, range, seq) => lock.with(async () => {
          await n.setSeq(seq)
          await mmu.unmap(range.within(n))
          return true
        }),
      })
      return {
        async fault(address, access) { await mirrorPages(host, notifier, lock, { ...mm.pageAt(address), access }) },
        async detach() {
          if (removesFirst) await notifier.remove()
          await mmu.unmap(everything)
          if (!removesFirst) await notifier.remove()
        },
      }
    },
  })
  expect(await findFailure(driver(false), { seeds: 100 })).toBeUndefined()
  expect((await findFailure(driver(true), { seeds: 100 }))?.error.message).toMatch(/^STALE {2}page 0x7f0000\w{6} is (still )?in the page table of closing:mm/)
})

test.each([
  [{ seed: 300 }, 'seeds: expected an integer >= 1, got undefined'],
  [{ seeds: 0 }, 'seeds: expected an integer >= 1, got 0'],
  [{ seeds: Number.NaN }, 'seeds: expected an integer >= 1, got NaN'],
  [{ seeds: 5, steps: -1 }, 'steps: expected an integer >= 1, got -1'],
  [{ seeds: 5, pages: 0.5 }, 'pages: expected an integer >= 1, got 0.5'],
  [{ seeds: 5, pages: 2 ** 40 }, 'pages: expected at most 4096, got 1099511627776'],
])('findFailure refuses %o', async (options, message) => {
  await expect(findFailure(careless(), options as never)).rejects.toThrow(new RangeError(message))
})

test.each([
  [{}, 'seed: expected an integer, got undefined'],
  [{ seed: 1.5 }, 'seed: expected an integer, got 1.5'],
  [{ seed: 1, steps: 0 }, 'steps: expected an integer >= 1, got 0'],
])('exercise refuses %o', async (options, message) => {
  await expect(exercise(careless(), options as never)).rejects.toThrow(new RangeError(message))
})

test('exercise takes the smallest options', async () => {
  const driver = defineDriver({ name: 'refuses', attach: () => ({ fault: () => Promise.reject(new Error('asked')), detach: async () => undefined }) })
  for (let seed = -5; seed <= 5; seed++) await expect(exercise(driver, { seed, steps: 1, pages: 1 })).rejects.toThrow('asked')
})
