import * as module from 'node:module'
import process from 'node:process'

/** Blanks out the types of the module `url`, so that everything stays where it is. What is more than types throws, with place in the first line of the stack, as Node has it. */
export type Strip = (code: string, url: string) => string

const { stripTypeScriptTypes } = module as { stripTypeScriptTypes?: (code: string) => string }

/** Node's own, from 22.13 on. */
export const nodesStrip: Strip | undefined = stripTypeScriptTypes && ((code, url) => {
  try {
    return quietly(() => stripTypeScriptTypes(code))
  } catch (error) {
    // It knows the line, and was not told the file.
    if (error instanceof Error && error.stack) error.stack = error.stack.replace(/^[^\n:]*(?=:\d+\n)/, () => url)
    throw error
  }
})

/** Without the warning that the function is an experiment, which whoever wrote the TypeScript can do nothing about. */
function quietly<T>(body: () => T): T {
  const warnings = process as { emitWarning: (this: void, ...args: readonly unknown[]) => void }
  const { emitWarning } = warnings
  warnings.emitWarning = (...args): void => {
    if (args[1] !== 'ExperimentalWarning') emitWarning(...args)
  }
  try {
    return body()
  } finally {
    warnings.emitWarning = emitWarning
  }
}

export async function blankSpace(): Promise<Strip> {
  const { default: strip } = await import('ts-blank-space').catch((cause: unknown) => {
    throw new Error('TypeScript needs Node >= 22.13, or the package ts-blank-space: npm install ts-blank-space', { cause })
  })
  return (code, url) =>
    strip(code, (node) => {
      // Its nodes do not know of what they are a part.
      const source = { text: code } as Parameters<typeof node.getStart>[0]
      const error = new SyntaxError(`TypeScript that is more than types: ${node.getText(source).split('\n', 1)[0] ?? ''}`)
      error.stack = `${url}:${code.slice(0, node.getStart(source)).split('\n').length}\n${error.stack ?? ''}`
      throw error
    })
}
