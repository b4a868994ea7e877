import type { Fixture } from './fixture.ts'

/** One test of the kernel's hmm-tests, by what it does and asserts there. */
export interface HmmTest {
  /** As in the kernel. */
  readonly name: string
  /** Devices of its fixture: `hmm` has one, `hmm2` two. Default: 1. */
  readonly devices?: 1 | 2
  /** Its tasks race, so they are switched at random. */
  readonly races?: boolean
  /** Throws when something does not hold. */
  run(fixture: Fixture): Promise<void>
}
