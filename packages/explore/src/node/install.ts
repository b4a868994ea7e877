import * as module from 'node:module'
import { compiled, isForeign, isTypeScript, textOf, type Loaded, type LoadContext } from './source.ts'
import { stripTypeScriptTypes } from './strip.ts'

type RegisterHooks = (hooks: { load: (url: string, context: LoadContext, nextLoad: (url: string, context: LoadContext) => Loaded) => Loaded }) => void

const INSTALLED = Symbol.for('@mmu-notifier/explore/hooks.v1')

/**
 * From now on, ES modules that this thread imports are compiled; those that it has imported stay as they are. A worker thread installs its own.
 * Calling it again does nothing.
 */
export function installHooks(): void {
  const thread = globalThis as Record<symbol, unknown>
  if (thread[INSTALLED]) return
  thread[INSTALLED] = true
  const { registerHooks } = module as { registerHooks?: RegisterHooks }
  if (registerHooks && stripTypeScriptTypes) registerHooks({ load: loadWith(stripTypeScriptTypes) })
  else module.register(import.meta.url.endsWith('.ts') ? './hooks.ts' : './hooks.js', import.meta.url)
}

/** As the asynchronous hook in `hooks.ts`. */
function loadWith(strip: (code: string) => string) {
  return (url: string, context: LoadContext, nextLoad: (url: string, context: LoadContext) => Loaded): Loaded => {
    if (!isForeign(url)) return nextLoad(url, context)
    if (!isTypeScript(url, context)) return compiled(url, nextLoad(url, context))
    const { source } = nextLoad(url, { ...context, format: 'module' })
    return compiled(url, { format: 'module', shortCircuit: true, source: strip(textOf(source ?? '')) })
  }
}
