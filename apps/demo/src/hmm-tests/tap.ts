import type { Outcome } from './run.ts'

/** The first lines. */
export function tapPlan(tests: number): string {
  return `TAP version 13\n1..${tests}`
}

/** The line of test `number`, and what there is to say of it. */
export function tapLine(number: number, { form, name, result, reason, expected, found, notes }: Outcome): string {
  const line = `${result === 'fail' ? 'not ok' : 'ok'} ${number} ${name} [${form}]`
  const before = notes.map((note) => `# ${note}\n`).join('')
  if (result !== 'fail') return `${before}${line}`
  const yaml = Object.entries({ message: reason, expected, found }).map(([key, value]) => `  ${key}: ${JSON.stringify(value ?? '')}`)
  return [`${before}${line}`, '  ---', ...yaml, '  ...'].join('\n')
}

/** The last lines: a sum for each form and kind of device, and for all. */
export function tapTotals(outcomes: readonly Outcome[]): string {
  const groups = new Map<string, Outcome[]>()
  for (const outcome of outcomes) {
    const name = `${outcome.form}, ${outcome.device}`
    groups.set(name, [...(groups.get(name) ?? []), outcome])
  }
  return [...[...groups].map(([name, part]) => `# ${name}: ${sum(part)}`), `# Totals: ${sum(outcomes)}`].join('\n')
}

function sum(outcomes: readonly Outcome[]): string {
  const count = (result: Outcome['result']): number => outcomes.filter((outcome) => outcome.result === result).length
  return `pass:${count('pass')} fail:${count('fail')}`
}
