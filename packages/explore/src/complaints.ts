import { objectOf, type Operation, type Target } from '@mmu-notifier/kernel'
import type { Witness } from './execution-parts.ts'
import type { ExploredTask } from './explored-task.ts'
import type { Failure } from './failure.ts'
import type { Clash } from './races.ts'

/** What is wrong with what a task does, in words. */

export function nameOf(operation: Operation, target: Target): string {
  return `${operation.kind} ${objectOf(operation, target)}`
}

/** An operation starts where none may. @param site where, or what it does not await */
export function missingAwait(task: ExploredTask | undefined, what: string, site: string | undefined): Failure {
  return { code: 'MISSING_AWAIT', message: `MISSING_AWAIT  ${what}`, task: task?.name, error: undefined, site }
}

/** The body of `task` has ended, and not all that it began. @returns undefined when it has */
export function unfinished(task: ExploredTask, witness: Witness | undefined): Failure | undefined {
  const waiting = task.waitsFor
  if (!waiting && task.open === 0) return undefined
  const left = waiting ? `its ${waiting.kind} ${waiting.object} is pending` : 'a function that it called has not ended, or has thrown, and was not awaited'
  return { code: 'MISSING_AWAIT', message: `MISSING_AWAIT  task ${task.name} ends while ${left}`, task: task.name, error: undefined, site: waiting && witness?.started?.(task) }
}

/** @param generator the compiled function that awaits it @param began some task has taken a step */
export function foreign(task: ExploredTask | undefined, began: boolean, witness: Witness | undefined, generator?: object): Failure {
  const after = task?.lastEvent
  const where = after ? `, after ${after.kind} ${after.name}` : began ? '' : ', before its first operation'
  const message = `FOREIGN  ${task ? `task ${task.name}` : 'setup or check'} awaits something that is no marked operation${where}: a checker cannot decide when it goes on`
  return { code: 'FOREIGN', message, task: task?.name, error: undefined, site: witness?.awaited?.(generator) }
}

/** What a task starts is an operation of another kernel. */
export function escape({ name }: ExploredTask, what: string, witness: Witness | undefined): Failure {
  const message = `FOREIGN  task ${name} starts ${what} of a kernel that runs freely: a checker decides over the one that it gives to setup only`
  return { code: 'FOREIGN', message, task: name, error: undefined, site: witness?.here?.() }
}

/** @param taskNames by number @param site of a plain access: a marked one has a line of its own in the report */
export function race(task: ExploredTask, what: string, clash: Clash, taskNames: readonly string[], witness: Witness | undefined, site?: string): Failure {
  const { id, name, code, other, write, plain } = clash
  const them = taskNames[other - 1] ?? '?'
  const sites = { site, otherSite: plain ? witness?.accessed?.(other, id, write) : undefined }
  if (code === 'UAF') {
    const [owner, user] = write ? [them, task.name] : [task.name, them]
    return { code, message: `UAF  ${owner} frees ${name}, and nothing orders that against its use by ${user}`, task: task.name, error: undefined, ...sites }
  }
  const theirs = `${plain ? 'plain' : 'marked'} ${write ? 'write' : 'read'}`
  const message = `${code}  ${what} of ${name} by ${task.name} and a ${theirs} by ${them} are ordered by nothing`
  return { code, message, task: task.name, error: undefined, ...sites }
}

export function nondeterminism(task: ExploredTask | undefined, what: string): Failure {
  const message = `NONDETERMINISM  ${task ? `task ${task.name} ` : ''}${what}: something but the scheduler decides what it does`
  return { code: 'NONDETERMINISM', message, task: task?.name, error: undefined }
}

export function livelock(task: ExploredTask | undefined, maxSteps: number): Failure {
  const message = `LIVELOCK  no end after ${maxSteps} steps: tasks make each other, or one itself, try again for ever (a loop that waits ends its turns with cpuRelax), or maxSteps is too low`
  return { code: 'LIVELOCK', message, task: task?.name, error: undefined }
}

export function leak({ name, held }: ExploredTask): Failure {
  const message = `LEAK  task ${name} has ended and holds ${held.map((lock) => lock.lockClass).join(', ')}`
  return { code: 'LEAK', message, task: name, error: undefined }
}
