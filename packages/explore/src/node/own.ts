import { compile, type Compiled } from '../compile.ts'

/** The same file that the checker imports: its neighbour, compiled or not. */
export const RUNTIME: string = new URL(import.meta.url.endsWith('.ts') ? '../frames.ts' : '../frames.js', import.meta.url).href

const FOLDERS = ['../../src/', '../../dist/'].map((folder) => new URL(folder, import.meta.url).href)

/** This package's own modules are never compiled: they are what runs the generators. Nor is another copy of it. */
export function isOwn(url: string): boolean {
  return FOLDERS.some((folder) => url.startsWith(folder)) || /\/@mmu-notifier\/explore\/(?:src|dist)\//.test(url)
}

/** As {@link compile}; what is no JavaScript is left to those who say so better. */
export function tryCompile(code: string, file: string, runtime: string): Compiled | undefined {
  try {
    return compile(code, { file, runtime })
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
