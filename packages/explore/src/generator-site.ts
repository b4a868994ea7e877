import { decode } from '@jridgewell/sourcemap-codec'
import { inspector, type Session } from './platform.ts'

/** Lines and columns count from 0. */
interface Location {
  readonly scriptId: string
  readonly lineNumber: number
  readonly columnNumber: number
}

interface Property {
  readonly name: string
  readonly value?: { readonly value?: Location }
}

interface Script {
  readonly scriptId: string
  readonly url: string
  readonly sourceMapURL?: string
}

/** Where {@link siteOfGenerator} hands the inspector what it asks about. */
const SUBJECT = Symbol.for('@mmu-notifier/explore/subject')

/**
 * Where a suspended generator stands, as `file:line`: V8 tells its inspector, at no cost as long as nobody asks. Only on Node. Of a file that was transformed it is the line in the
 * original, by the map that it carries.
 */
export function siteOfGenerator(generator: object): string | undefined {
  const inspect = inspector()
  if (!inspect) return undefined
  const session = new inspect.Session()
  const subject = globalThis as { [SUBJECT]?: object | undefined }
  const scripts = new Map<string, Script>()
  subject[SUBJECT] = generator
  session.connect()
  try {
    session.on('Debugger.scriptParsed', ({ params }) => {
      const script = params as Script
      scripts.set(script.scriptId, script)
    })
    ask(session, 'Debugger.enable', {})
    const { result } = ask(session, 'Runtime.evaluate', { expression: "globalThis[Symbol.for('@mmu-notifier/explore/subject')]" }) as { result: { objectId: string } }
    const { internalProperties } = ask(session, 'Runtime.getProperties', { objectId: result.objectId, ownProperties: true }) as { internalProperties?: Property[] }
    const at = internalProperties?.find(({ name }) => name === '[[GeneratorLocation]]')?.value?.value
    const script = at && scripts.get(at.scriptId)
    const [, file] = /[\\/]([^\\/?#]+)(?:[?#].*)?$/.exec(script?.url ?? '') ?? []
    return at && script && file !== undefined ? `${file}:${originalLine(script, at) + 1}` : undefined
  } finally {
    session.disconnect()
    subject[SUBJECT] = undefined
  }
}

function originalLine({ sourceMapURL = '' }: Script, { lineNumber, columnNumber }: Location): number {
  const [, encoded] = /^data:application\/json[^,]*;base64,(.*)$/.exec(sourceMapURL) ?? []
  if (encoded === undefined) return lineNumber
  const { atob } = globalThis as unknown as { readonly atob: (text: string) => string }
  const { mappings } = JSON.parse(atob(encoded)) as { mappings: string }
  const segment = (decode(mappings)[lineNumber] ?? []).findLast(([column]) => column <= columnNumber)
  return segment?.[2] ?? lineNumber
}

/** An inspector in one's own thread answers at once. */
function ask(session: Session, method: string, parameters: object): unknown {
  let answer: unknown
  session.post(method, parameters, (_error, result) => { answer = result })
  return answer
}
