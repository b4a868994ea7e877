import { isOwn, RUNTIMES, tryCompile, type Form } from './own.ts'

/** What Node's loader hands from one hook to the next. */
export interface Loaded {
  readonly format: string | null | undefined
  readonly source?: string | ArrayBuffer | NodeJS.TypedArray | undefined
  readonly shortCircuit?: boolean | undefined
}

export interface LoadContext {
  readonly format?: string | null | undefined
}

/** A module of somebody else's that is a file. */
export function isForeign(url: string): boolean {
  return url.startsWith('file:') && !isOwn(url)
}

/** A TypeScript file that is an ES module, as far as its name and package tell. */
export function isTypeScript(url: string, { format }: LoadContext): boolean {
  return /\.m?ts$/.test(new URL(url).pathname) && format !== 'commonjs-typescript' && format !== 'commonjs'
}

/** Compiles what was loaded, if it is an ES module. */
export function compiled(form: Form, url: string, loaded: Loaded): Loaded {
  const { format, source } = loaded
  if (format !== 'module' || source === undefined) return loaded
  const code = textOf(source)
  const made = tryCompile(form, code, url, RUNTIMES[form])
  if (!made) return loaded
  // A map that is there is one to something better than this; and the lines are the same.
  const mapped = /^\/\/[#@] ?sourceMappingURL=/m.test(code)
  return { ...loaded, source: mapped ? made.code : `${made.code}\n//# sourceMappingURL=${made.map.toUrl()}` }
}

export function textOf(source: string | ArrayBuffer | NodeJS.TypedArray): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source)
}
