/*
 * Mutation test of the protocol file: removes each of its statements, swaps each with the next one, and negates each condition, one at a time, and runs the tests of this package on it; with --claims also, where they do not
 * notice, every claim. `npm run mutants -w @mmu-notifier/core [-- --from N] [--claims]`; half an hour, with --claims some minutes more for each that the tests let through. The file is restored at the end, also after an interruption.
 */
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { clearTimeout, setTimeout } from 'node:timers'
import ts from 'typescript'
import { EQUIVALENT } from './mutants.equivalent.mjs'

const root = join(import.meta.dirname, '../../..')
const path = join(import.meta.dirname, '../src/protocol.ts')
const source = readFileSync(path, 'utf8')
const MINUTE = 60_000
const from = process.argv.includes('--from') ? Number(process.argv[process.argv.indexOf('--from') + 1]) : 1
const claims = process.argv.includes('--claims')

/** @returns {{ name: string, text: string }[]} */
function mutantsOf(file) {
  const mutants = []
  const text = (node) => file.text.slice(node.getStart(file), node.end)
  const line = (node) => file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1
  const replace = (name, node, by, end = node.end) => {
    mutants.push({ name: name.replaceAll(/\s+/g, ' ').slice(0, 140), text: file.text.slice(0, node.getStart(file)) + by + file.text.slice(end) })
  }
  const visit = (node) => {
    if (ts.isBlock(node)) {
      node.statements.forEach((statement, i) => {
        if (!ts.isVariableStatement(statement)) replace(`${line(statement)}: without ${text(statement)}`, statement, '')
        const next = node.statements[i + 1]
        if (!next || ts.isReturnStatement(statement) || ts.isVariableStatement(statement)) return
        replace(`${line(statement)}: ${text(next)} before ${text(statement)}`, statement, `${text(next)}\n${text(statement)}`, next.end)
      })
    }
    if (ts.isIfStatement(node)) {
      replace(`${line(node)}: if not ${text(node.expression)}`, node.expression, `!(${text(node.expression)})`)
      const { thenStatement, elseStatement } = node
      for (const part of [thenStatement, elseStatement]) {
        if (part && !ts.isBlock(part) && !ts.isIfStatement(part)) replace(`${line(part)}: without ${text(part)}`, part, ';')
      }
    }
    if (ts.isPostfixUnaryExpression(node)) replace(`${line(node)}: ${text(node)} the other way`, node, text(node).replace(/\+\+|--/, (op) => (op === '++' ? '--' : '++')))
    ts.forEachChild(node, visit)
  }
  const protocol = file.statements.find((statement) => ts.isClassDeclaration(statement) && statement.name?.text === 'Protocol')
  for (const member of protocol.members) if (ts.isMethodDeclaration(member) || ts.isGetAccessor(member)) visit(member)
  return mutants
}

/** @returns {Promise<boolean | 'no end'>} whether the command fails, or was ended */
function fails(args) {
  return new Promise((resolve) => {
    // A mutant may run for ever, and so do vitest's workers then: the whole group has to go.
    const run = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', ...args], { cwd: root, stdio: 'ignore', detached: true, env: { ...process.env, CLAIMS: 'all' } })
    let ended = false
    const timer = setTimeout(() => {
      ended = true
      process.kill(-run.pid, 'SIGKILL')
    }, (claims ? 20 : 1) * MINUTE)
    run.on('exit', (code) => {
      clearTimeout(timer)
      resolve(ended ? 'no end' : code !== 0)
    })
  })
}

const mutants = mutantsOf(ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true))
const restore = () => { writeFileSync(path, source) }
process.on('exit', restore)
process.on('SIGINT', () => process.exit(130))

const survivors = []
for (const [i, { name, text }] of mutants.entries()) {
  if (i + 1 < from) continue
  writeFileSync(path, text)
  const tests = await fails(['run', '--project', 'core', '--bail', '1'])
  const killedBy = tests === 'no end' ? 'no end' : tests ? 'tests'
    : claims && (await fails(['run', '--project', 'claims', '--bail', '1'])) ? 'claims'
    : undefined
  const reason = EQUIVALENT[name.replace(/^\d+: /, '')]
  console.log(`${String(i + 1).padStart(3)}/${mutants.length}  ${(killedBy ?? (reason ? 'equivalent' : 'SURVIVES')).padEnd(10)}  ${name}${reason && !killedBy ? `\n             ${reason}` : ''}`)
  if (!killedBy && !reason) survivors.push(name)
}
restore()
console.log(`${mutants.length} mutants, ${survivors.length} survive without a reason`)
process.exitCode = survivors.length > 0 ? 1 : 0
