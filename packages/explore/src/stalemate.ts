import type { Failure } from './failure.ts'
import type { ExploredTask } from './explored-task.ts'

/** Why no task can go on, `stuck` being those that have not finished. */
export function stalemate(stuck: readonly ExploredTask[], all: readonly ExploredTask[]): Failure {
  const lines = stuck.map((task) => `\n  ${describe(task, all)}`).join('')
  const missed = stuck.find((task) => task.waitsFor?.ready === true)
  if (missed) return failure('LOST_WAKEUP', `what ${missed.name} sleeps for is true, and nobody woke it:${lines}`, missed)
  const cycle = waitCycle(stuck, all)
  if (cycle) return failure('DEADLOCK', `${[...cycle, cycle[0]].map((task) => task?.name).join(' -> ')}:${lines}`, cycle[0])
  const spins = stuck.find((task) => task.waitsFor?.kind === 'relax')
  if (spins) return failure('LIVELOCK', `${spins.name} spins until a write that never comes:${lines}`, spins)
  return failure('DEADLOCK', `nothing can wake a task that waits:${lines}`, stuck[0])
}

function failure(code: string, what: string, task: ExploredTask | undefined): Failure {
  return { code, message: `${code}  ${what}`, task: task?.name, error: undefined }
}

function describe(task: ExploredTask, all: readonly ExploredTask[]): string {
  const wait = task.waitsFor
  const held = task.held.map((lock) => lock.lockClass)
  const owners = ownersOf(task, all).map((owner) => `, held by ${owner.name}${owner.finished ? ', which has finished' : ''}`)
  return `${task.name} waits: ${wait?.kind ?? '?'} ${wait?.object ?? '?'}${owners.join('')}${held.length > 0 ? `; holds ${held.join(', ')}` : ''}`
}

/** The tasks that hold the lock, or are the task, that `task` waits for. */
function ownersOf(task: ExploredTask, all: readonly ExploredTask[]): ExploredTask[] {
  const wait = task.waitsFor
  if (!wait) return []
  const target: object = wait.target
  return all.filter((other) => other !== task && ((wait.kind === 'join' && target === other) || other.held.some((held) => held.instance === target || held === target)))
}

function waitCycle(stuck: readonly ExploredTask[], all: readonly ExploredTask[]): ExploredTask[] | undefined {
  for (const first of stuck) {
    const path = [first]
    for (let next = ownersOf(first, all)[0]; next && !next.finished; next = ownersOf(next, all)[0]) {
      const at = path.indexOf(next)
      if (at >= 0) return path.slice(at)
      path.push(next)
    }
  }
  return undefined
}
