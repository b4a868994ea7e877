import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import exploreCompile from '../src/node/vite.ts'

const CODE = 'export async function f() { await 1 }'
const SOURCES = resolve(import.meta.dirname, '../src')

function compiles(id: string, options?: Parameters<typeof exploreCompile>[0]): boolean {
  return exploreCompile(options).transform(CODE, id) !== undefined
}

test('compiles scripts, and of what is installed the packages that scenarios are made of', () => {
  for (const id of ['/app/a.ts', '/app/a.js?v=1', '/app/b.mts', '/app/node_modules/@mmu-notifier/kernel/dist/index.js']) expect(compiles(id), id).toBe(true)
  for (const id of ['/app/node_modules/x/a.js', '/app/a.css', '\0virtual.js']) expect(compiles(id), id).toBe(false)
})

test('never compiles the checker, from wherever it comes', () => {
  for (const include of [undefined, /./]) {
    for (const id of [`${SOURCES}/explore.ts`, `${SOURCES}/node/vite.ts`, resolve(SOURCES, '../dist/index.js'), '/app/node_modules/@mmu-notifier/explore/dist/index.js']) {
      expect(compiles(id, include && { include }), id).toBe(false)
    }
  }
  expect(compiles(import.meta.filename)).toBe(true)
})

test('include and exclude', () => {
  expect(compiles('/app/node_modules/x/a.js', { include: /\/x\// })).toBe(true)
  expect(compiles('/app/a.ts', { include: [/\/x\//, /\/y\//] })).toBe(false)
  expect(compiles('/app/a.ts', { exclude: [/app/g] })).toBe(false)
})

test('imports the runtime that the checker imports, and has vitest transform ours', () => {
  const { transform, config } = exploreCompile()
  expect(transform(CODE, '/app/a.ts')?.code).toContain(`from "${SOURCES}/frames.ts";`)
  expect(config({})).toEqual({ test: { server: { deps: { inline: [/@mmu-notifier\//] } } } })
  expect(config({ test: { server: { deps: { inline: true } } } })).toEqual({})
  expect(transform('async function {', '/app/a.ts')).toBeUndefined()
})
