/** The rooms of the house, each above everything that it may import. `docs/architecture.md` says what they are for. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'interval-tree': [],
  kernel: [],
  explore: ['kernel'],
  core: ['interval-tree', 'kernel'],
  mm: ['interval-tree', 'kernel', 'core'],
  'fake-mmu': ['kernel', 'mm'],
  driver: ['kernel', 'core', 'mm', 'fake-mmu'],
  'driver-selftest': ['kernel', 'core', 'mm', 'fake-mmu', 'driver'],
  'driver-nouveau': ['core', 'mm', 'fake-mmu', 'driver'],
  recording: ['kernel', 'core', 'mm'],
  claims: ['interval-tree', 'kernel', 'explore', 'core'],
  demo: ['interval-tree', 'kernel', 'explore', 'core', 'mm', 'fake-mmu', 'driver', 'driver-selftest', 'driver-nouveau', 'recording', 'claims'],
}

/** Packages that need Node; all others run in browsers and workers as well. */
export const NODE_ONLY: ReadonlySet<string> = new Set(['recording', 'demo'])

/** What packages offer besides their main entry point. Those under `node/` are for Node alone, and a TypeScript project of their own. */
export const ENTRY_POINTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  core: { './steps': 'steps' },
  explore: { './frames': 'frames', './register': 'node/register', './sequential': 'node/sequential', './vite': 'node/vite', './vitest': 'node/vitest' },
}
