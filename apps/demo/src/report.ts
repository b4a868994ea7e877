import type { CheckpointResult } from '@mmu-notifier/recording'
import Table from 'cli-table3'
import pc from 'picocolors'
import type { RunReport } from './run.ts'

/** The report as one JSON object. */
export function toJson(name: string, { replay, statistics, checked, violations, left }: RunReport): object {
  const { find, get, put, batches, removals, synchronousRemovals, deferred, releases } = statistics
  return {
    recording: name,
    lines: replay.lines,
    calls: replay.calls,
    processes: replay.processes,
    pageFaults: replay.faults.performed,
    uncertain: replay.uncertain.length,
    checkpoints: { equal: replay.checkpoints.equal, compared: replay.checkpoints.compared },
    invalidations: statistics.invalidationCount,
    invalidationsByEvent: statistics.invalidations,
    drivers: statistics.drivers,
    notifiers: { find, get, put, batches, removals, synchronousRemovals, deferred, releases },
    stale: violations.filter(({ oracle }) => oracle === 'STALE').length,
    leaks: violations.filter(({ oracle }) => oracle === 'LEAK').length,
    checked,
    violations: violations.map(({ message }) => message),
    left,
  }
}

/** Whether a run shows what it should: every checkpoint equal, nothing stale, nothing left. */
export function passed({ replay, violations, left }: RunReport): boolean {
  return replay.checkpoints.equal === replay.checkpoints.compared && violations.length === 0 && left.notifiers === 0 && left.frames === 0
}

/** The report as a table. */
export function toTable(name: string, report: RunReport): string {
  const { replay, statistics, checked, violations, left } = report
  const { equal, compared, differences } = replay.checkpoints
  const table = new Table({ style: { head: [], border: [], compact: true }, colAligns: ['left', 'right'] })
  const row = (label: string, value: string): void => { table.push([label, value]) }
  const judged = (good: boolean, text: string): string => (good ? pc.green(text) : pc.red(text))

  row('recording', pc.bold(name))
  row('lines', count(replay.lines))
  row('calls', count(replay.calls))
  row('page faults', count(replay.faults.performed))
  row('calls on which the model is uncertain', count(replay.uncertain.length))
  row('checkpoints equal / compared', judged(equal === compared, `${equal} / ${compared}`))
  row('invalidations', count(statistics.invalidationCount))
  for (const [event, n] of Object.entries(statistics.invalidations)) row(`  ${event}`, count(n))
  for (const driver of statistics.drivers) {
    row(pc.bold(`driver ${driver.name}`), '')
    row('  callbacks', count(driver.callbacks))
    row('  device accesses', count(driver.accesses + driver.refused))
    row('    of these refused (no such memory any more)', count(driver.refused))
    row('  device faults', count(driver.faults))
    row('  retries', count(driver.retries))
    row('  intervals inserted / released', `${count(driver.inserted)} / ${count(driver.released)}`)
  }
  row('find / get / put', [statistics.find, statistics.get, statistics.put].map(count).join(' / '))
  row('batches', count(statistics.batches))
  row('removals, asynchronous / synchronous', `${count(statistics.removals)} / ${count(statistics.synchronousRemovals)}`)
  row('deferred operations', count(statistics.deferred))
  row('releases', count(statistics.releases))
  const stale = violations.filter(({ oracle }) => oracle === 'STALE').length
  row(`stale translations (${count(checked)} looks)`, judged(stale === 0, count(stale)))
  row('references left', judged(left.notifiers === 0 && left.frames === 0, `${left.notifiers} notifiers, ${left.frames} frames`))
  const notes = [...differences.slice(0, 3).map(showDifference), ...violations.slice(0, 10).map(({ message }) => message)]
  return [table.toString(), ...notes.map((note) => pc.red(note))].join('\n')
}

/** Which map it is, and the ranges of both at the first address that differs. */
function showDifference({ checkpoint: { number, line, process }, difference }: CheckpointResult): string {
  const { kernel = 'nothing', model = 'nothing', address = 0 } = difference ?? {}
  return `checkpoint ${number} (process ${process}, after line ${line}) differs at 0x${address.toString(16)}: kernel ${kernel}, model ${model}`
}

function count(n: number): string {
  return n.toLocaleString('en-US')
}
