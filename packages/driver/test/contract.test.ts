import { describe, expect, test } from 'vitest'
import { defineDriver, whyNoDriver, type Driver } from '../src/index.ts'

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
    ['no attach', { name: 'tiny' }, 'driver tiny: expected a function attach(host), got undefined'],
  ])('%s is refused', (_, value, reason) => {
    expect(whyNoDriver(value)).toBe(reason)
    expect(() => defineDriver(value as Driver)).toThrow(new TypeError(`defineDriver: ${reason}`))
  })
})
