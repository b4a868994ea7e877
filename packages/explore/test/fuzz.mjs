// `npm run fuzz -- --programs 10000 --from 1 --shape cells`: the fuzz test on more programs. Build first: the kernel is taken from its dist.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

await runnerImport(fileURLToPath(new URL('fuzz.ts', import.meta.url)), { logLevel: 'error' })
