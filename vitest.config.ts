import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'

/** One inline project a package, with an absolute root: relative roots find no tests and pass. */
const rooms = ['packages', 'apps'].flatMap((group) =>
  readdirSync(resolve(import.meta.dirname, group)).map((name) => ({ name, root: resolve(import.meta.dirname, group, name) })),
)

export default defineConfig({
  ssr: { resolve: { conditions: ['@mmu-notifier/source', ...defaultServerConditions] } },
  test: {
    reporters: ['default', './tools/tally.ts'],
    projects: [...rooms, { name: 'repo', root: resolve(import.meta.dirname, 'tools') }].map(({ name, root }) => ({
      extends: true as const,
      root,
      test: { name, include: ['test/**/*.test.ts'] },
    })),
    coverage: { include: ['packages/*/src/**'] },
  },
})
