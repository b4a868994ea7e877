/** As much of Node as the checker uses where it is there: it runs without. */
interface AsyncHooks {
  readonly AsyncLocalStorage: new () => Storage
  createHook(callbacks: { init(id: number, type: string): void }): { enable(): void; disable(): void }
}

export interface Storage {
  run<T>(store: unknown, body: () => T): T
  getStore(): unknown
  disable(): void
}

interface Inspector {
  readonly Session: new () => Session
}

export interface Session {
  connect(): void
  disconnect(): void
  post(method: string, parameters: object, done: (error: unknown, result: unknown) => void): void
  on(event: string, listener: (message: { readonly params: unknown }) => void): void
}

type BuiltIn = (name: string) => unknown

/** Undefined before Node 20.16 and elsewhere. */
function builtIn(name: string): unknown {
  const { process } = globalThis as { readonly process?: { readonly getBuiltinModule?: BuiltIn } }
  return process?.getBuiltinModule?.(name)
}

export function asyncHooks(): AsyncHooks | undefined {
  return builtIn('node:async_hooks') as AsyncHooks | undefined
}

export function inspector(): Inspector | undefined {
  return builtIn('node:inspector') as Inspector | undefined
}
