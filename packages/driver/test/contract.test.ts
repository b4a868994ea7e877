import { describe, expect, test } from 'vitest'
import { defineDriver, Device, exercise, findFailure, whyNoDriver, type Driver } from '../src/index.ts'
import { rig } from './careless.ts'

const attach: Driver['attach'] = () => ({ fault: async () => undefined, detach: async () => undefined })

describe('defineDriver', () => {
  test('returns the driver it was given', () => {
    const driver = { name: 'tiny-2', attach }
    expect(defineDriver(driver)).toBe(driver)
  })

  test.each<[string, unknown, string]>([
    ['no object', undefined, 'expected a driver object, got undefined'],
    ['null', null, 'expected a driver object, got null'],
    ['a function', attach, 'expected a driver object, got function'],
    ['no name', { attach }, 'expected name in lower case letters, digits and -, got undefined'],
    ['a name that is none', { name: 'My Driver', attach }, 'expected name in lower case letters, digits and -, got "My Driver"'],
    ['a name that is a number', { name: 10n, attach }, 'expected name in lower case letters, digits and -, got bigint'],
    ['no attach', { name: 'tiny' }, 'driver tiny: expected a function attach(host), got undefined'],
  ])('%s is refused', (_, value, reason) => {
    expect(whyNoDriver(value)).toBe(reason)
    expect(() => defineDriver(value as Driver)).toThrow(new TypeError(`defineDriver: ${reason}`))
  })
})

test('who is given a driver that is none says so, and does not call it one that fails', async () => {
  const { kernel, mm } = await rig()
  const driver = { name: 'tiny' } as Driver
  const reason = 'driver tiny: expected a function attach(host), got undefined'
  await expect(Device.attach(kernel, { driver, mm })).rejects.toThrow(new TypeError(`Device.attach: ${reason}`))
  await expect(exercise(driver, { seed: 1 })).rejects.toThrow(new TypeError(`exercise: ${reason}`))
  await expect(findFailure(driver, { seeds: 1 })).rejects.toThrow(new TypeError(`findFailure: ${reason}`))
})

test.each([
  [undefined, 'expected attach to return { fault, detach }, got undefined'],
  [null, 'expected attach to return { fault, detach }, got null'],
  [{ detach: async () => undefined }, 'expected attach to return a function fault, got undefined'],
  [{ fault: async () => undefined, detach: true }, 'expected attach to return a function detach, got boolean'],
])('a driver whose attach returns %o does not get a device', async (attached, reason) => {
  const { kernel, mm } = await rig()
  const driver = defineDriver({ name: 'tiny', attach: () => attached as never })
  await expect(Device.attach(kernel, { driver, mm })).rejects.toThrow(new TypeError(`driver tiny: ${reason}`))
  expect(mm.notifiers.operations.mm.count.value).toBe(1)
})
