export { diff, type DiffReport } from './diff.ts'
export { main } from './main.ts'
export { run, type RunOptions, type RunReport } from './run.ts'
export { scene } from './scene.ts'
