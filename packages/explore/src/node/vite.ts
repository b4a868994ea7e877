import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Compiled } from '../compile.ts'
import { isOwn, RUNTIMES, tryCompile } from './own.ts'

export interface ExploreCompileOptions {
  /** The files to compile, by their absolute path with `/`. Default: all scripts outside of `node_modules`, and in there those of `@mmu-notifier/`. */
  readonly include?: RegExp | readonly RegExp[]
  /** Those to leave as they are. */
  readonly exclude?: RegExp | readonly RegExp[]
}

/** As much of vite's `Plugin` as this is. */
export interface ExploreCompilePlugin {
  readonly name: string
  readonly enforce: 'post'
  readonly config: (user: object) => object
  readonly transform: (code: string, id: string) => Pick<Compiled, 'code' | 'map'> | undefined
}

const SCRIPT = /\.[cm]?[jt]sx?$/
const INSTALLED = '/node_modules/'
const OURS = '@mmu-notifier/'

/**
 * For `plugins` of a vite or vitest configuration: compiles async functions, so that `explore` can run them as generators. It comes after what
 * compiles TypeScript, and has vitest transform the packages of `@mmu-notifier/` too.
 */
export default function exploreCompile({ include, exclude }: ExploreCompileOptions = {}): ExploreCompilePlugin {
  const runtime = slashes(fileURLToPath(RUNTIMES.generators))
  const wanted = (file: string): boolean => {
    if (include === undefined ? file.includes(INSTALLED) && !file.includes(OURS) : !matches(include, file)) return false
    return !matches(exclude ?? [], file)
  }
  return {
    name: 'mmu-notifier:explore',
    enforce: 'post',
    config(user) {
      const { test } = user as { test?: { server?: { deps?: { inline?: unknown } } } }
      return test?.server?.deps?.inline === true ? {} : { test: { server: { deps: { inline: [new RegExp(OURS)] } } } }
    },
    transform(code, id) {
      const file = slashes(id.replace(/[?#].*$/, ''))
      if (!SCRIPT.test(file) || file.startsWith('\0') || !wanted(file) || isOwn(pathToFileURL(file).href)) return undefined
      const compiled = tryCompile('generators', code, file, runtime)
      return compiled && { code: compiled.code, map: compiled.map }
    },
  }
}

function matches(patterns: RegExp | readonly RegExp[], file: string): boolean {
  return [patterns].flat().some((pattern) => file.search(pattern) >= 0)
}

function slashes(path: string): string {
  return path.replaceAll('\\', '/')
}
