import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

/*
 * What users run: the built package, in a process of its own.
 */
const PACKAGE = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'mmu-notifier-register-'))

function node(...args: string[]): string {
  return execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe', env: { ...process.env, NODE_OPTIONS: '', NODE_NO_WARNINGS: '1' } })
}

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text)
}

const REGISTER = ['--import', '@mmu-notifier/explore/register'] as const

/** Says which of several functions are still what they were, and whether a compiled one goes to a machine. */
function program(imports: string, name: string): string {
  return `
import { createKernel } from '@mmu-notifier/kernel'
import { explore } from '@mmu-notifier/explore'
import { setMachine } from '@mmu-notifier/explore/frames'
${imports}
const kind = (f) => f.constructor.name
async function main() { return [kind(main), kind(createKernel().mutex('m').lockFor), kind(explore), kind(${name}), await ${name}(41)] }
console.log(JSON.stringify(await main()))
const started = []
setMachine({ start: (make) => { started.push(make.name) } })
main()
setMachine(undefined)
console.log(JSON.stringify(started))`
}

function expected(kind: string): string {
  return [['Function', 'Function', 'AsyncFunction', kind, 42], ['main$task']].map((line) => JSON.stringify(line)).join('\n')
}

beforeAll(() => {
  execFileSync(process.execPath, [resolve(PACKAGE, '../../node_modules/@typescript/native/bin/tsc'), '-b', 'src/node'], { cwd: PACKAGE })
  mkdirSync(join(folder, 'node_modules/@mmu-notifier'), { recursive: true })
  for (const name of ['explore', 'kernel']) symlinkSync(resolve(PACKAGE, '..', name), join(folder, 'node_modules/@mmu-notifier', name))
  write('package.json', '{ "type": "module" }')
  write('program.js', program("import common from './common.cjs'", 'common'))
  write('typed-program.js', program("import { answer } from './typed.ts'", 'answer'))
  write('typed.ts', `
interface Options<T> { readonly by?: T }
export async function answer(x: number, { by = 1 }: Options<number> = {}): Promise<number> {
  const y: number = await (x as number); return y + by }
`)
  write('common.cjs', 'module.exports = async (x) => (await x) + 1')
})

afterAll(() => { rmSync(folder, { recursive: true, force: true }) })

test('--import compiles every ES module but those of the checker, and no CommonJS', () => {
  expect(node(...REGISTER, 'program.js').trim()).toBe(expected('AsyncFunction'))
})

test('--import compiles TypeScript', () => {
  expect(node(...REGISTER, 'typed-program.js').trim()).toBe(expected('Function'))
})

test('hooks can be installed by a program, and in a worker thread', () => {
  const install = JSON.stringify(pathToFileURL(join(PACKAGE, 'dist/node/install.js')).href)
  write('worker.js', `import { installHooks } from ${install}\ninstallHooks("generators")\ninstallHooks("generators")\nawait import('./program.js')`)
  write('installs.js', `import { Worker } from 'node:worker_threads'\nif (process.argv[2] === 'first') await import('./worker.js')\nnew Worker(new URL('./worker.js', import.meta.url))`)
  expect(node('installs.js').trim()).toBe(expected('AsyncFunction'))
  expect(node('installs.js', 'first').trim()).toBe(`${expected('AsyncFunction')}\n${expected('AsyncFunction')}`)
})

test('a worker thread inherits --import', () => {
  write('inherits.js', "import { Worker } from 'node:worker_threads'\nnew Worker(new URL('./program.js', import.meta.url))")
  expect(node(...REGISTER, 'inherits.js').trim()).toBe(expected('AsyncFunction'))
})

test('an error says its line, with the map its column, and in TypeScript as well', () => {
  write('throws.js', `const helper = async () => {\n  await 0\n  throw new Error('here')\n}\nasync function main() { const x = 1; await helper() }\nmain().catch((error) => console.log(error.stack))`)
  write('throws.ts', `interface A {\n  x: number }\nexport const f = async (a: A): Promise<void> => { await a.x; throw new Error('here') }\nf({ x: 1 }).catch((error: Error) => console.log(error.stack))`)
  expect(node(...REGISTER, 'throws.js')).toMatch(/throws\.js:3:9/)
  expect(node(...REGISTER, '--enable-source-maps', 'throws.js')).toMatch(/throws\.js:3:9/)
  expect(node(...REGISTER, 'throws.ts')).toMatch(/throws\.ts:3:/)
  expect(node(...REGISTER, '--enable-source-maps', 'throws.ts')).toMatch(/throws\.ts:3:68/)
})

test('what is no JavaScript is an error of Node, not of the compiler', () => {
  write('broken.js', 'async function f() { await }')
  expect(() => node(...REGISTER, 'broken.js')).toThrow(/broken\.js:1/)
})

test('TypeScript that is more than types is an error with file and line', () => {
  write('enum.ts', 'interface A { x: number }\n/* colours */\nenum E {\n  A, B }')
  expect(() => node(...REGISTER, 'enum.ts')).toThrow(/enum\.ts:3\n[^]*SyntaxError.*: TypeScript .*enum/)
})

test('sequential: a program of one task runs as ordinary functions, up to what has to wait', () => {
  write('sequential.js', `
import { createKernel } from '@mmu-notifier/kernel'
const kernel = createKernel()
const lock = kernel.mutex('lock'), cell = kernel.cell('cell', 1)
async function main() { await kernel.condResched(); return lock.with(async () => { await cell.write(2); return [main.constructor.name, await cell.read()] }) }
console.log(JSON.stringify(main()))
async function waits() { await kernel.waitQueue('queue').until(() => false) }
try { waits() } catch (error) { console.log(error.message) }`)
  const [values, message] = node('--import', '@mmu-notifier/explore/sequential', 'sequential.js').trim().split('\n')
  expect(values).toBe('["Function",2]')
  expect(message).toContain('sequential code cannot wait')
})

test('a thread has one form', () => {
  expect(() => node(...REGISTER, '--import', '@mmu-notifier/explore/sequential', 'program.js')).toThrow('modules of this thread are compiled already, to generators, and not to sequential')
})
