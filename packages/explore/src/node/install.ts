import * as module from 'node:module'
import type { Form } from './own.ts'
import { compiled, isForeign, isTypeScript, textOf, type Loaded, type LoadContext } from './source.ts'
import { nodesStrip, type Strip } from './strip.ts'

type RegisterHooks = (hooks: { load: (url: string, context: LoadContext, nextLoad: (url: string, context: LoadContext) => Loaded) => Loaded }) => void

const INSTALLED = Symbol.for('@mmu-notifier/explore/hooks.v2')

/**
 * From now on, ES modules that this thread imports are compiled to `form`; those that it has imported stay as they are. A worker thread installs its own.
 * Calling it again does nothing. Throws when there is another form already.
 */
export function installHooks(form: Form): void {
  const thread = globalThis as Record<symbol, Form | undefined>
  const { [INSTALLED]: installed } = thread
  if (installed !== undefined && installed !== form) throw new Error(`modules of this thread are compiled already, to ${installed}, and not to ${form}`)
  if (installed !== undefined) return
  thread[INSTALLED] = form
  const { registerHooks } = module as { registerHooks?: RegisterHooks }
  if (registerHooks && nodesStrip) registerHooks({ load: loadWith(form, nodesStrip) })
  else module.register(import.meta.url.endsWith('.ts') ? './hooks.ts' : './hooks.js', import.meta.url, { data: form })
}

/** As the asynchronous hook in `hooks.ts`. */
function loadWith(form: Form, strip: Strip) {
  return (url: string, context: LoadContext, nextLoad: (url: string, context: LoadContext) => Loaded): Loaded => {
    if (!isForeign(url)) return nextLoad(url, context)
    if (!isTypeScript(url, context)) return compiled(form, url, nextLoad(url, context))
    const { source } = nextLoad(url, { ...context, format: 'module' })
    return compiled(form, url, { format: 'module', shortCircuit: true, source: strip(textOf(source ?? ''), url) })
  }
}
