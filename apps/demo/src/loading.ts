import { spawnSync } from 'node:child_process'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UsageError } from './errors.ts'

/** Milliseconds. */
const PATIENCE = 10_000

/**
 * Imports a module.
 * @param options of Node, with which it can be asked again what it did not say
 * @throws UsageError that says in one line why it cannot be loaded, with the place of what is no JavaScript
 */
export async function load(url: string, options: readonly string[] = []): Promise<Readonly<Record<string, unknown>>> {
  let ends: () => void = () => undefined
  const unsettled = new Promise<never>((_, reject) => { ends = () => { reject(new Error('a top-level await, of it or of what it imports, never ends')) } })
  process.once('beforeExit', ends) // nothing is left that could go on
  try {
    return await Promise.race([import(url) as Promise<Readonly<Record<string, unknown>>>, unsettled])
  } catch (error) {
    throw new UsageError(`cannot be loaded: ${whyNot(error, url, options)}`)
  } finally {
    process.off('beforeExit', ends)
  }
}

function whyNot(error: unknown, url: string, options: readonly string[]): string {
  if (!(error instanceof Error)) return String(error)
  const place = placeIn(error.stack) ?? (isOfLoader(error) ? placeIn(printed(url, options)) : undefined)
  return `${place === undefined ? '' : `${place}: `}${error.name}: ${error.message.split('\n', 1)[0] ?? ''}`
}

/** `file:///…/helper.mjs:4`, or a path, as a line of its own above the code: so Node says where. */
function placeIn(text = ''): string | undefined {
  const [, file, line] = /^(file:\/\/\S+|(?:\/|[A-Z]:\\).+):(\d+)$/m.exec(text) ?? []
  if (file === undefined || line === undefined) return undefined
  const path = file.startsWith('file:') ? fileURLToPath(file) : file
  const near = relative(process.cwd(), path)
  return `${near.startsWith('..') ? path : near}:${line}`
}

/** What an ES module's syntax is wrong with comes from the loader, without a place. */
function isOfLoader(error: Error): boolean {
  return error instanceof SyntaxError && /^.*\n +at .*node:internal\/modules/.test(error.stack ?? '')
}

/** Node tells the place of a syntax error to nobody, and prints it where nobody catches the error. */
function printed(url: string, options: readonly string[]): string {
  return spawnSync(process.execPath, [...options, '--input-type=module', '--eval', `import ${JSON.stringify(url)}`], { encoding: 'utf8', timeout: PATIENCE }).stderr
}
