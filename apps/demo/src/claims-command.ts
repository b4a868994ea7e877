import { book, CLAIMS, findClaim, type Claim, type Row } from '@mmu-notifier/claims'
import Table from 'cli-table3'
import { availableParallelism } from 'node:os'
import pc from 'picocolors'
import { inThreads } from './claims-pool.ts'
import { UsageError } from './errors.ts'
import { Progress } from './progress.ts'
import { shellCommand } from './shell.ts'

export interface ClaimsOptions {
  readonly show?: string
  readonly replay?: string
  readonly jobs?: number
  readonly json?: boolean
  readonly markdown?: boolean
}

/** `mmu-notifier claims`. @returns the exit status: 1 when a variant does not do what it is expected to */
export async function claimsCommand(ids: readonly string[], { show, replay, jobs = availableParallelism(), json, markdown }: ClaimsOptions): Promise<number> {
  const claims = ids.length === 0 ? CLAIMS : ids.map(claimOf)
  if (replay !== undefined && show === undefined) throw new UsageError('claims --replay: say with --show which variant the token is of')
  if (show !== undefined) return showVariant(claims, show, replay)

  const wanted = claims.flatMap((claim) => claim.variants.map(({ name }) => ({ id: claim.id, name, replay: undefined })))
  const progress = new Progress('exploring claims', 'variants')
  let rows: readonly Row[]
  try {
    const answers = await inThreads(wanted, jobs, (done) => { progress.update(done, wanted.length) })
    rows = answers.map((answer) => {
      if (answer.kind !== 'row') throw new Error(`unexpected ${answer.kind}`)
      return answer.row
    })
  } finally {
    progress.stop()
  }
  const results = claims.map((claim) => ({ claim, rows: claim.variants.map((_, i) => rows[wanted.findIndex(({ id }) => id === claim.id) + i] as Row) }))
  if (markdown) process.stdout.write(book(results))
  else console.log(json ? JSON.stringify(results.map(toJson), undefined, 2) : toTable(results))
  return rows.every(({ ok }) => ok) ? 0 : 1
}

interface Result {
  readonly claim: Claim
  readonly rows: readonly Row[]
}

function claimOf(id: string): Claim {
  const claim = findClaim(id)
  if (claim) return claim
  throw new UsageError(`claims ${id}: there is no such claim; they are ${CLAIMS.map((other) => other.id).join(', ')}`)
}

async function showVariant(claims: readonly Claim[], name: string, replay: string | undefined): Promise<number> {
  const [claim] = claims
  if (!claim || claims.length > 1) throw new UsageError('claims --show: name one claim')
  const variant = claim.variants.find((other) => other.name === name)
  if (!variant) throw new UsageError(`claims ${claim.id} --show ${name}: its variants are ${claim.variants.map((other) => other.name).join(', ')}`)
  const [answer] = await inThreads([{ id: claim.id, name, replay }], 1, () => undefined)
  if (answer?.kind === 'usage') throw new UsageError(`claims ${claim.id} --show ${name}: ${answer.message}`)
  if (answer?.kind === 'replayed') {
    console.log(answer.report)
    return answer.failed ? 1 : 0
  }
  if (answer?.kind !== 'row') throw new Error('no answer')
  const { report, schedule, ok } = answer.row
  console.log(`${pc.bold(`${claim.id}: ${claim.title}`)}\n${name}: ${variant.does}\n\n${report}`)
  if (schedule !== undefined) console.log(`\n   ${shellCommand(['mmu-notifier', 'claims', claim.id, '--show', name, '--replay', schedule])}`)
  return ok ? 0 : 1
}

function toJson({ claim: { id, title, source }, rows }: Result): object {
  const variants = rows.map(({ name, expect, verdict, oracle, traces, schedule, switches }) => ({ name, expect, verdict, oracle: oracle ?? null, traces, schedule: schedule ?? null, switches: switches ?? null }))
  return { id, title, source, variants, ok: rows.every(({ ok }) => ok) }
}

function toTable(results: readonly Result[]): string {
  const table = new Table({ head: ['claim', 'variant', 'expected', 'verdict', 'traces', 'switches', 'replay'], style: { head: [], border: [], compact: true }, colAligns: ['left', 'left', 'left', 'left', 'right', 'right', 'left'] })
  for (const { claim, rows } of results) {
    rows.forEach(({ name, expect, verdict, oracle, traces, switches, schedule, ok }, i) => {
      const found = oracle ?? verdict
      table.push([i === 0 ? pc.bold(claim.id) : '', name, expect, ok ? pc.green(found) : pc.red(found), traces.toLocaleString('en-US'), switches === undefined ? '' : String(switches), schedule ?? ''])
    })
  }
  const rows = results.flatMap((result) => result.rows)
  const wrong = rows.filter(({ ok }) => !ok).length
  const sum = `${results.length} claims, ${rows.length} variants: ${wrong === 0 ? pc.green('all as expected') : pc.red(`${wrong} not as expected`)}`
  return `${table.toString()}\n${sum}`
}
