import { compiled, isForeign, isTypeScript, textOf, type Loaded, type LoadContext } from './source.ts'
import { stripTypeScriptTypes } from './strip.ts'
import type { Form } from './own.ts'

let form: Form = 'generators'

/** Called by Node with what `module.register` was given. */
export function initialize(given: Form): void {
  form = given
}

/** The hook of `module.register`: for versions of Node that have no `module.registerHooks`, on a thread of its own. */
export async function load(url: string, context: LoadContext, nextLoad: (url: string, context: LoadContext) => Promise<Loaded>): Promise<Loaded> {
  if (!isForeign(url)) return nextLoad(url, context)
  if (!isTypeScript(url, context)) return compiled(form, url, await nextLoad(url, context))
  const { source } = await nextLoad(url, { ...context, format: 'module' })
  const strip = stripTypeScriptTypes ?? (await blankSpace())
  return compiled(form, url, { format: 'module', shortCircuit: true, source: strip(textOf(source ?? '')) })
}

async function blankSpace(): Promise<(code: string) => string> {
  const { default: strip } = await import('ts-blank-space').catch((cause: unknown) => {
    throw new Error('TypeScript needs Node >= 22.13, or the package ts-blank-space: npm install ts-blank-space', { cause })
  })
  return (code) =>
    strip(code, (node) => {
      throw new SyntaxError(`TypeScript that is more than types: ${node.getText()}`)
    })
}
