import { compiled, isForeign, isTypeScript, textOf, type Loaded, type LoadContext } from './source.ts'
import { blankSpace, nodesStrip } from './strip.ts'
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
  const strip = nodesStrip ?? (await blankSpace())
  return compiled(form, url, { format: 'module', shortCircuit: true, source: strip(textOf(source ?? ''), url) })
}
