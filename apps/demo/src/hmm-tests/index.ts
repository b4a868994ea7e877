import { ANONYMOUS } from './anonymous.ts'
import { EXCLUSIVE } from './exclusive.ts'
import { FAILURES } from './failures.ts'
import { FILES, MIGRATE_FILES, MIGRATE_SHARED, MIXED_MAP } from './files.ts'
import type { HmmTest } from './hmm-test.ts'
import { HUGE_TESTS } from './huge.ts'
import { MIGRATE, MIGRATE_FAULT, MIGRATE_MIXED, MIGRATE_RELEASE, MULTIPLE } from './migrate.ts'
import { SHARED_USE } from './shared-use.ts'
import { COMPOUND, DOUBLE_MAP, SNAPSHOT } from './snapshot.ts'
import { USERFAULTFD } from './userfaultfd.ts'

/** The kernel's hmm-tests, those of newer kernels than 6.12 at the end. */
export const HMM_TESTS: readonly HmmTest[] = [
  ...ANONYMOUS,
  ...FILES,
  MIGRATE,
  ...MIGRATE_FILES,
  MIGRATE_FAULT,
  MIGRATE_RELEASE,
  ...MIGRATE_SHARED,
  MIGRATE_MIXED,
  ...MULTIPLE,
  ...MIXED_MAP,
  SNAPSHOT,
  COMPOUND,
  DOUBLE_MAP,
  ...EXCLUSIVE,
  ...SHARED_USE,
  ...HUGE_TESTS,
  ...FAILURES,
  ...USERFAULTFD,
]
