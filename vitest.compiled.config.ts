import { resolve } from 'node:path'
import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'
import exploreCompile from './packages/explore/src/node/vite.ts'

/** The suites of what scenarios are made of, with every async function compiled and promises driving it: nothing may change. */
export default defineConfig({
  plugins: [exploreCompile()],
  ssr: { resolve: { conditions: ['@mmu-notifier/source', ...defaultServerConditions] } },
  test: {
    reporters: ['default', './tools/tally.ts'],
    testTimeout: 300_000,
    maxWorkers: '100%',
    projects: ['kernel', 'core', 'mm', 'fake-mmu', 'driver', 'driver-selftest', 'driver-nouveau'].map((name) => ({
      extends: true as const,
      root: resolve(import.meta.dirname, 'packages', name),
      test: { name, include: ['test/**/*.test.ts'], setupFiles: [resolve(import.meta.dirname, 'packages/explore/test/compiled.setup.ts')] },
    })),
  },
})
