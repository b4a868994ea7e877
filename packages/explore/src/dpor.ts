import { waits } from './access.ts'
import { DepthFirst, type Node } from './depth-first.ts'
import { choiceOf, enabledOf, type Choice, type Outcome, type Situation } from './director.ts'
import { predict, type Event } from './event.ts'
import { Reach } from './reach.ts'
import { reversal, type Prediction } from './reversal.ts'
import type { Trace } from './trace.ts'
import { insert, leads, type WakeupNode } from './wakeup-tree.ts'
import { item } from './item.ts'

/** Dynamic partial order reduction: executes, finds the races, and plans what would reverse each of them. */
export abstract class Dpor<Plan> extends DepthFirst<Plan> {
  readonly wantsRaces: boolean = true
  readonly #predict: Prediction
  readonly #reach: Reach
  #version = 0
  /** Of the events beyond the prefix: pairs of positions. */
  readonly #races: { readonly earlier: number; readonly later: Event }[] = []

  /**
   * @param reach the engine's
   * @param prediction a broken one, for tests
   */
  constructor(trace: Trace, reach: Reach, prediction: Prediction = predict) {
    super(trace, true)
    this.#reach = reach
    this.#predict = prediction
    this.#version = reach.version
  }

  override performed(position: number, races: readonly number[]): void {
    const later = item(this.trace.events, position)
    for (const earlier of races) this.#races.push({ earlier, later })
  }

  override finished(outcome: Outcome): void {
    super.finished(outcome)
    if (this.#version !== this.#reach.version) {
      this.#version = this.#reach.version
      this.#races.length = 0
      this.restart()
      return
    }
    const { blocked } = outcome
    // Who waits for a lock to the end would, in another order, have had it: a race with the holder.
    for (const event of blocked) {
      if (event.modes.length > 0 && (waits(item(event.modes, 0)) || event.possible)) {
        for (const earlier of this.trace.racesOf(event)) this.#races.push({ earlier, later: event })
      }
    }
    for (const { earlier, later } of this.#races.splice(0)) {
      const node = item(this.nodes, earlier)
      const sequence = reversal(this.trace, earlier, later, this.endFor(later), this.#predict)
      if (sequence) this.plan(node, sequence)
    }
  }

  /** How many events of the trace a reversal of a race of `later` takes in. */
  protected abstract endFor(later: Event): number

  /** Sees to it that something that begins like `sequence` is explored from `node`. */
  protected abstract plan(node: Node<Plan>, sequence: Event[]): void
}

interface OptimalPlan {
  readonly tree: WakeupNode[]
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
    if (!sleep.some((event) => leads(event, sequence) >= 0)) insert(plan.tree, sequence)
  }

  protected override first(situation: Situation, awake: readonly number[], sleep: Event[]): Node<OptimalPlan> | undefined {
    const plan = { tree: this.#below, enabled: enabledOf(situation) }
    this.#below = []
    const planned = this.#take(plan, sleep)
    const chosen = planned >= 0 ? planned : awake[0]
    return chosen === undefined ? undefined : { chosen, ways: 0, sleep, plan }
  }

  protected override again({ plan, sleep }: Node<OptimalPlan>): Choice {
    return this.#take(plan, sleep)
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
