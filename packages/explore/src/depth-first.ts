import { choiceOf, choicesOf, taskOf, wayOf, type Choice, type Director, type Outcome, type Situation } from './director.ts'
import { dependent, type Event } from './event.ts'
import { item } from './item.ts'
import { UNSPLIT, type Split } from './shard.ts'
import type { Trace } from './trace.ts'

/** One state on the way to where the exploration is. */
export interface Node<Plan> {
  /** The task whose step from here is being explored, and the way in which it goes. */
  chosen: Choice
  /** What need not be explored from here: done already, or covered from a state before. Events that are possible here. */
  readonly sleep: Event[]
  readonly plan: Plan
}

/**
 * Walks the tree of choices depth first, each execution from the beginning. What is to be explored from a node is the business of subclasses; sleep sets (Godefroid,
 * 1996) are kept here, for those that use them.
 */
export abstract class DepthFirst<Plan> implements Director {
  protected readonly trace: Trace
  protected readonly nodes: Node<Plan>[] = []
  protected readonly split: Split
  readonly #sleeps: boolean
  abstract readonly wantsRaces: boolean
  readonly needsTrace: boolean = true
  prefix = 0
  /** Executions that ended, and were not dropped by `assume`. */
  complete = 0
  /** Executions that were given up because every task slept: they were not needed. */
  blocked = 0
  /** {@link next} has said that everything has been explored. */
  exhausted = false
  #fresh = true
  /** The next execution is prepared, and was not run yet. */
  #ready = false

  /** How many ways of taking the first steps have been reached, see {@link Split}. */
  reached = 0
  /** The execution was given up because it belongs to another part. */
  #foreign = false

  constructor(trace: Trace, sleeps: boolean, split: Split = UNSPLIT) {
    this.trace = trace
    this.split = split
    this.#sleeps = sleeps
  }

  /** The next execution is the first one, or was restarted. */
  get begins(): boolean {
    return this.#fresh
  }

  /** Prepares the next execution, unless it is prepared. @returns false when everything has been explored */
  next(): boolean {
    this.#ready = this.#ready || this.#prepare()
    return this.#ready
  }

  #prepare(): boolean {
    if (this.#fresh) {
      this.#fresh = false
      this.nodes.length = 0
      this.prefix = 0
      this.complete = 0
      this.blocked = 0
      this.reached = 0
      return true
    }
    for (;;) {
      const node = this.nodes.at(-1)
      if (!node) {
        this.exhausted = true
        return false
      }
      const done = this.trace.events[this.nodes.length - 1]
      if (done && this.#sleeps) node.sleep.push(done)
      const chosen = this.again(node)
      if (chosen >= 0) {
        node.chosen = chosen
        this.prefix = this.nodes.length - 1
        return true
      }
      this.nodes.pop()
    }
  }

  choose(situation: Situation): number {
    const { step } = situation
    const known = this.nodes[step]
    if (known) return taskOf(known.chosen)
    const { depth } = this.split
    if (step === depth && depth > 0 && !this.#isOurs()) return -1
    const last = this.trace.events[step - 1]
    const above = this.nodes[step - 1]?.sleep ?? []
    const sleep = last ? above.filter((event) => event.task !== last.task && !dependent(event, last) && (step > depth || (isPlain(event) && isPlain(last)))) : []
    const choices = choicesOf(situation)
    const awake = sleep.length === 0 ? choices : choices.filter((choice) => !isAsleep(choice, sleep))
    const node = this.first(situation, awake, sleep)
    if (!node) return -1
    this.nodes.push(node)
    return taskOf(node.chosen)
  }

  way(step: number): number {
    return wayOf(item(this.nodes, step).chosen)
  }

  performed?(position: number, races: readonly number[]): void

  /** The execution is over. */
  finished({ end }: Outcome): void {
    this.#ready = false
    // One that is over before the search is split counts as what follows on its first steps.
    const { depth } = this.split
    if (depth > 0 && !this.#foreign && this.nodes.length <= depth && end !== 'abandoned') this.#isOurs()
    const foreign = this.#foreign
    this.#foreign = false
    if (foreign) return
    if (end === 'abandoned') this.blocked++
    else if (end !== 'assumed') this.complete++
  }

  /** A way of taking the first steps has been reached. */
  #isOurs(): boolean {
    const { index, count } = this.split
    this.#foreign = this.reached++ % count !== index
    return !this.#foreign
  }

  /** Begins again after this execution. */
  protected restart(): void {
    this.#fresh = true
  }

  /** A new node. @param awake every choice there is but those that sleep @returns undefined when no task is left to choose: all sleep */
  protected abstract first(situation: Situation, awake: readonly Choice[], sleep: Event[]): Node<Plan> | undefined

  /** What else is to be explored from `node`, whose last choice is done. @returns a choice, or -1 for nothing */
  protected abstract again(node: Node<Plan>): Choice
}

/** What an event touches is known without having seen it in other executions, see `Reach`: all parts of a search agree upon it. */
function isPlain({ kind, objects }: Event): boolean {
  return kind !== 'section' && kind !== 'wait' && objects.length < 2
}

export function isAsleep(choice: Choice, sleep: readonly Event[]): boolean {
  return sleep.some(({ task, way }) => choiceOf(task, way) === choice)
}
