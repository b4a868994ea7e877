import { MODE, waits } from './access.ts'
import { DepthFirst, isAsleep, type Node } from './depth-first.ts'
import { choiceOf, choicesOf, taskOf, wayOf, type Choice, type Outcome, type Situation } from './director.ts'
import { ANY, predict, type Event } from './event.ts'
import { Reach } from './reach.ts'
import { reversal, type Prediction } from './reversal.ts'
import type { Trace } from './trace.ts'
import { below, insert, inWays, isInitial, leads, type WakeupNode } from './wakeup-tree.ts'
import { item } from './item.ts'
import type { Split } from './shard.ts'

/** Dynamic partial order reduction: executes, finds the races, and plans what would reverse each of them. */
export abstract class Dpor<Plan> extends DepthFirst<Plan> {
  readonly wantsRaces: boolean = true
  readonly #predict: Prediction
  readonly #reach: Reach
  /** What was known of the reach when the search began. */
  #version = 0
  /** How often it has begun. */
  #beginnings = 0
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
  }

  override performed(position: number, races: readonly number[]): void {
    this.#races[position] = races
  }

  override next(): boolean {
    if (this.begins) {
      this.#version = this.#reach.version
      this.#beginnings++
    }
    return super.next()
  }

  override finished(outcome: Outcome): void {
    super.finished(outcome)
    if (this.#version !== this.#reach.version) {
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
   * The choice to begin with where nothing speaks for any: the first task's, or the last one's each second time. So what is to be learned at the far end of the tree is met early, too.
   */
  protected free(awake: readonly Choice[]): Choice | undefined {
    return awake.at(this.#beginnings % 2 === 1 ? 0 : -1)
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
  /** Above the depth at which the search is split: all other choices. */
  readonly others: Choice[]
  readonly choices: readonly Choice[]
}

/**
 * Every Mazurkiewicz trace once, and nothing else: Optimal-DPOR (Abdulla, Aronis, Jonsson, Sagonas, POPL 2014).
 *
 * The ways in which a step can go are alternatives, as the steps of different tasks are. A step that is chosen freely, or that a race was reversed for, is explored in each
 * of them. One that a plan repeats because it has nothing to do with the race goes as it went: where it goes otherwise, other races are found.
 */
export class OptimalDpor extends Dpor<OptimalPlan> {
  /** What the wakeup tree says follows the step that is being explored. */
  #below: WakeupNode[] = []
  /** The step that is about to be performed from here is to be explored in all its ways. */
  #open: Node<OptimalPlan> | undefined
  /** {@link #take} took a step in one of all its ways. */
  #any = false

  protected override endFor(): number {
    return this.trace.length
  }

  protected override plan({ sleep, plan }: Node<OptimalPlan>, sequence: Event[]): void {
    const strictly = this.split.depth > 0
    const later = sequence.length - 1
    const { task, way } = item(sequence, later)
    // Where it could come first, the ways are known, and some may be explored already.
    const ways = way === ANY && isInitial(sequence, later) ? plan.choices.filter((choice) => taskOf(choice) === task).length : 0
    for (const planned of inWays(sequence, ways)) if (!sleep.some((event) => leads(event, planned, strictly) >= 0)) insert(plan.tree, planned, strictly)
  }

  protected override first(situation: Situation, awake: readonly Choice[], sleep: Event[]): Node<OptimalPlan> | undefined {
    const above = situation.step < this.split.depth
    const plan = { tree: this.#below, others: above ? awake.slice(1) : [], choices: choicesOf(situation) }
    this.#below = []
    const planned = this.#take(plan, sleep)
    const chosen = planned >= 0 ? planned : above ? awake[0] : this.free(awake)
    if (chosen === undefined) return undefined
    const node = { chosen, sleep, plan }
    this.#open = !above && (planned < 0 || this.#any) ? node : undefined
    return node
  }

  protected override again(node: Node<OptimalPlan>): Choice {
    const choice = this.#take(node.plan, node.sleep)
    this.#open = this.#any ? node : undefined
    return choice >= 0 ? choice : (node.plan.others.shift() ?? -1)
  }

  override performed(position: number, races: readonly number[]): void {
    super.performed(position, races)
    const node = this.#open
    if (!node) return
    this.#open = undefined
    const event = item(this.trace.events, position)
    const { tree } = node.plan
    for (let way = event.ways - 1; way >= 0; way--) {
      const known = way === event.way || isAsleep(choiceOf(event.task, way), node.sleep) || tree.some(({ events: [next] }) => next?.task === event.task && next.way === way)
      if (!known) tree.unshift({ events: [{ ...event, way }], children: undefined })
    }
  }

  #take({ tree, choices }: OptimalPlan, sleep: readonly Event[]): Choice {
    this.#any = false
    for (let next = tree.shift(); next; next = tree.shift()) {
      const { task, way } = item(next.events, 0)
      const chosen = choices.find((choice) => taskOf(choice) === task && (way === ANY || wayOf(choice) === way) && !isAsleep(choice, sleep))
      if (chosen === undefined) continue
      this.#any = way === ANY
      this.#below = below(next)
      return chosen
    }
    return -1
  }
}
