import { MODE, waits } from './access.ts'
import { DepthFirst, type Node } from './depth-first.ts'
import { choiceOf, enabledOf, type Choice, type Outcome, type Situation } from './director.ts'
import { predict, type Event } from './event.ts'
import { Reach } from './reach.ts'
import { reversal, type Prediction } from './reversal.ts'
import type { Trace } from './trace.ts'
import { insert, leads, type WakeupNode } from './wakeup-tree.ts'
import { item } from './item.ts'
import type { Split } from './shard.ts'

/** Dynamic partial order reduction: executes, finds the races, and plans what would reverse each of them. */
export abstract class Dpor<Plan> extends DepthFirst<Plan> {
  readonly wantsRaces: boolean = true
  readonly #predict: Prediction
  readonly #reach: Reach
  #version = 0
  /** By position: the positions of the events that the one there races with. */
  readonly #races: (readonly number[])[] = []

  /**
   * @param reach the engine's
   * @param prediction a broken one, for tests
   */
  constructor(trace: Trace, reach: Reach, { prediction = predict, split }: { readonly prediction?: Prediction; readonly split?: Split } = {}) {
    super(trace, true, split)
    this.#reach = reach
    this.#predict = prediction
    this.#version = reach.version
  }

  override performed(position: number, races: readonly number[]): void {
    this.#races[position] = races
  }

  override finished(outcome: Outcome): void {
    super.finished(outcome)
    if (this.#version !== this.#reach.version) {
      this.#version = this.#reach.version
      this.restart()
      return
    }
    this.#reverseAll()
    // Who waits for a lock to the end would, in another order, have had it: a race with the holder.
    for (const event of outcome.blocked) {
      if (event.modes.length === 0 || !(waits(item(event.modes, 0)) || event.possible)) continue
      for (const earlier of this.trace.racesOf(event)) this.#reverse(earlier, event)
    }
  }

  /**
   * The races of the prefix, too: what a reversal takes in is all of the execution that did not happen after `earlier`, and what is after the prefix is new. Where all that
   * is new happened after it, an execution before this one has led to the same reversal, or to a longer one.
   */
  #reverseAll(): void {
    const { trace, prefix } = this
    const oldest = oldestOf(trace, prefix)
    trace.events.forEach((later, position) => {
      for (const earlier of item(this.#races, position)) {
        const { task, index, modes } = item(trace.events, earlier)
        if (position >= prefix || item(oldest, task) <= index || modes[0] === MODE.acquireShared) this.#reverse(earlier, later)
      }
    })
  }

  #reverse(earlier: number, later: Event): void {
    const reversed = reversal(this.trace, earlier, later, this.endFor(later), this.#predict)
    // Above, every way is taken.
    if (reversed && reversed.at >= this.split.depth) this.plan(item(this.nodes, reversed.at), reversed.sequence)
  }

  /** How many events of the trace a reversal of a race of `later` takes in. */
  protected abstract endFor(later: Event): number

  /** Sees to it that something that begins like `sequence` is explored from `node`. */
  protected abstract plan(node: Node<Plan>, sequence: Event[]): void
}

/** By task: how many of its events happened before every event from `position` on. */
function oldestOf(trace: Trace, position: number): Int32Array {
  const oldest = trace.clocks.row(position).slice()
  for (let at = position + 1; at < trace.length; at++) {
    const row = trace.clocks.row(at)
    for (let task = 0; task < oldest.length; task++) oldest[task] = Math.min(item(oldest, task), item(row, task))
  }
  return oldest
}

interface OptimalPlan {
  readonly tree: WakeupNode[]
  /** Above the depth at which the search is split: all other tasks that can take a step. */
  readonly others: number[]
  readonly enabled: readonly number[]
}

/**
 * Every Mazurkiewicz trace once, and nothing else: Optimal-DPOR (Abdulla, Aronis, Jonsson, Sagonas, POPL 2014).
 */
export class OptimalDpor extends Dpor<OptimalPlan> {
  /** What the wakeup tree says follows the step that is being explored. */
  #below: WakeupNode[] = []
  /** Whose step, about to be performed, has several ways. */
  #ways: Node<OptimalPlan> | undefined

  protected override endFor(): number {
    return this.trace.length
  }

  protected override plan({ sleep, plan }: Node<OptimalPlan>, sequence: Event[]): void {
    const strictly = this.split.depth > 0
    if (!sleep.some((event) => leads(event, sequence, strictly) >= 0)) insert(plan.tree, sequence, strictly)
  }

  protected override first(situation: Situation, awake: readonly number[], sleep: Event[]): Node<OptimalPlan> | undefined {
    const plan = { tree: this.#below, others: situation.step < this.split.depth ? awake.slice(1) : [], enabled: enabledOf(situation) }
    this.#below = []
    const planned = this.#take(plan, sleep)
    const chosen = planned >= 0 ? planned : awake[0]
    return chosen === undefined ? undefined : { chosen, ways: 0, sleep, plan }
  }

  protected override again({ plan, sleep }: Node<OptimalPlan>): Choice {
    const planned = this.#take(plan, sleep)
    return planned >= 0 ? planned : (plan.others.shift() ?? -1)
  }

  protected override hasWays(node: Node<OptimalPlan>): void {
    this.#ways = node
  }

  override performed(position: number, races: readonly number[]): void {
    super.performed(position, races)
    const node = this.#ways
    if (!node) return
    this.#ways = undefined
    const event = item(this.trace.events, position)
    const { tree } = node.plan
    for (let way = node.ways - 1; way >= 0; way--) {
      const known = way === event.way || tree.some((child) => child.event.task === event.task && child.event.way === way) || node.sleep.some((done) => done.task === event.task && done.way === way)
      // Before all others: once another task's step is explored from here, all ways of this one are to be asleep.
      if (!known) tree.unshift({ event: { ...event, way }, children: [] })
    }
  }

  #take({ tree, enabled }: OptimalPlan, sleep: readonly Event[]): number {
    for (let next = tree.shift(); next; next = tree.shift()) {
      const { task, way } = next.event
      if (!enabled.includes(task) || sleep.some((event) => event.task === task && event.way === way)) continue
      this.#below = next.children
      return choiceOf(task, way)
    }
    return -1
  }
}
