import { it as base } from 'vitest'
import { exploring } from '../exploring.ts'

/** Vitest's `it`, with `it.explore(name, scenario)`: a test that explores a scenario and whose failure message is the report. */
export const it: typeof base & ReturnType<typeof exploring> = Object.assign(base.extend({}), exploring(base))
