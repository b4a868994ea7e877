import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'
import exploreCompile from './packages/explore/src/node/vite.ts'

/** One inline project a package, with an absolute root: relative roots find no tests and pass. */
const rooms = ['packages', 'apps'].flatMap((group) =>
  readdirSync(resolve(import.meta.dirname, group)).map((name) => ({ name, root: resolve(import.meta.dirname, group, name) })),
)

/** The tests of explore that are about what it finds, and not about how it is built. */
const COMPILED = ['bugs', 'chains', 'core', 'explore', 'fuzz', 'litmus', 'probes', 'reference', 'shard', 'soundness']

export default defineConfig({
  ssr: { resolve: { conditions: ['@mmu-notifier/source', ...defaultServerConditions] } },
  test: {
    reporters: ['default', './tools/tally.ts'],
    // Ends what hangs: no test is about time, and a busy machine takes ten times as long.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // By default one core is left alone, and most tests wait for nobody.
    maxWorkers: '100%',
    projects: [
      ...[...rooms, { name: 'repo', root: resolve(import.meta.dirname, 'tools') }].map(({ name, root }) => ({
        extends: true as const,
        root,
        test: { name, include: ['test/**/*.test.ts'] },
        // What is explored by the thousand runs compiled.
        ...(name === 'claims' && { plugins: [exploreCompile()] }),
      })),
      {
        // Explored by the thousand: whole machines, so compiled.
        extends: true as const,
        root: resolve(import.meta.dirname, 'apps/demo'),
        plugins: [exploreCompile()],
        test: { name: 'demo-explored', include: ['test/**/*.explore.ts'] },
      },
      {
        // The checker's other engine: the same tests, with everything compiled but the checker itself.
        extends: true as const,
        root: resolve(import.meta.dirname, 'packages/explore'),
        plugins: [exploreCompile()],
        test: { name: 'explore-compiled', include: [...COMPILED.map((name) => `test/${name}.test.ts`), 'test/engines.compiled.ts'], setupFiles: ['./test/compiled.setup.ts'] },
      },
    ],
    coverage: { include: ['packages/*/src/**'] },
  },
})
