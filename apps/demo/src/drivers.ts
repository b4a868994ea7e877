import { whyNoDriver, type Driver } from '@mmu-notifier/driver'
import { nouveau } from '@mmu-notifier/driver-nouveau'
import { selftest } from '@mmu-notifier/driver-selftest'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UsageError } from './errors.ts'
import { load } from './loading.ts'

/** The drivers that come with the command line, by name. */
export const BUILTIN: Readonly<Record<string, Driver>> = { selftest, nouveau }

/**
 * The driver that `--driver` names: a built-in one, the default export of a module by path, or of an installed package.
 * @throws UsageError that says what was expected
 */
export async function loadDriver(spec: string): Promise<Driver> {
  const builtin = Object.hasOwn(BUILTIN, spec) ? BUILTIN[spec] : undefined
  if (builtin) return builtin
  const url = /^[./]|\.[cm]?[jt]s$/.test(spec) ? fromPath(spec) : fromPackage(spec)
  const module = await load(url).catch((error: unknown) => { throw new UsageError(`--driver ${spec}: ${(error as Error).message}`) })
  if (!('default' in module)) throw new UsageError(`--driver ${spec}: expected a default export made by defineDriver, found ${Object.keys(module).join(', ') || 'no export'}`)
  const reason = whyNoDriver(module['default'])
  if (reason !== undefined) throw new UsageError(`--driver ${spec}: the default export is no driver: ${reason}`)
  return module['default'] as Driver
}

function fromPath(spec: string): string {
  const path = resolve(spec)
  if (!existsSync(path)) throw new UsageError(`--driver ${spec}: no such file`)
  return pathToFileURL(path).href
}

function fromPackage(spec: string): string {
  try {
    return pathToFileURL(createRequire(join(process.cwd(), 'package.json')).resolve(spec)).href
  } catch {
    throw new UsageError(`--driver ${spec}: unknown driver: expected ${Object.keys(BUILTIN).join(', ')}, a path like ./my-driver.js, or an installed package`)
  }
}
