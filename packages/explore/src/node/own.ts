import { compile, type Compiled } from '../compile.ts'
import { sequential } from '../sequential.ts'

/** What async functions become: generators, for the checker, or ordinary functions, for one task that never waits. */
export type Form = 'generators' | 'sequential'

const COMPILERS = { generators: compile, sequential }

/** By form, the runtime that compiled code imports. That of generators is the same file that the checker imports: its neighbour, compiled or not. */
export const RUNTIMES: Readonly<Record<Form, string>> = { generators: neighbour('frames'), sequential: neighbour('done') }

const FOLDERS = ['../../src/', '../../dist/'].map((folder) => new URL(folder, import.meta.url).href)

/** This package's own modules are never compiled: they are what runs the generators. Nor is another copy of it. */
export function isOwn(url: string): boolean {
  return FOLDERS.some((folder) => url.startsWith(folder)) || /\/@mmu-notifier\/explore\/(?:src|dist)\//.test(url)
}

/** Compiles a module; what is no JavaScript is left to those who say so better. */
export function tryCompile(form: Form, code: string, file: string, runtime: string): Compiled | undefined {
  try {
    return COMPILERS[form](code, { file, runtime })
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function neighbour(name: string): string {
  return new URL(`../${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href
}
