import { resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { findPrograms } from '../dist/diff-command.js'

const FIXTURES = fileURLToPath(new URL('../../../fixtures/kernel-reference/public', import.meta.url))

/** What an argument names, by where npm was called: it runs a script in the folder of the package. @param {string} path */
export const fromCaller = (path) => resolve(process.env.INIT_CWD ?? '.', path)

/** The recorded programs of these files and folders, or the sample of the public set. Ends the process where there are none. @param {readonly string[]} paths */
export async function programFiles(paths) {
  const found = await Promise.all((paths.length > 0 ? paths.map(fromCaller) : [FIXTURES]).map(findPrograms)).catch((error) => {
    if (!isMmuNotifierError(error, 'ERECORDING')) throw error
    console.error(error.message)
    process.exit(2)
  })
  return found.flat()
}
