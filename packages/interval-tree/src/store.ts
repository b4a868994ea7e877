import { CAPACITY, COUNT, LEVEL, MAX_NODES, NODE, PARENT, START } from './layout.ts'

/** The state of one tree: the nodes, the handles, and who is free. The algorithms beside this file work on it. */
export class Store {
  keys: Float64Array<ArrayBuffer>
  refs: Int32Array<ArrayBuffer>
  /** By handle: the leaf that holds it; for a free handle -2 minus the next free one (-1 ends the list, and marks handles never used). */
  leafOf: Int32Array<ArrayBuffer>
  root = 0
  /** Levels above the leaves. */
  height = 0
  size = 0
  /** Nodes in the tree. */
  nodes = 0
  /** Doubles handed out so far: nodes above were never used. */
  top = 0
  freeNode = -1
  /** Handles above were never used. */
  handles = 0
  freeHandle = -1

  constructor(capacity: number) {
    // Random insertion fills nodes to about 0.69, and one node in ten is an inner one: 9 intervals per node.
    const nodes = Math.ceil(capacity / 9) + 1
    this.keys = new Float64Array(nodes * NODE)
    this.refs = new Int32Array(this.keys.buffer)
    this.leafOf = new Int32Array(Math.max(capacity, CAPACITY)).fill(-1)
    this.reset()
  }

  reset(): void {
    this.size = this.height = this.nodes = this.top = this.handles = 0
    this.freeNode = this.freeHandle = -1
    this.leafOf.fill(-1)
    this.root = this.allocNode(0)
  }

  /**
   * Makes room for one insertion, which takes a handle, splits at most every node from a leaf to the root, and adds a root.
   * All growth happens here, before the insertion changes anything: running out of memory leaves the tree as it was.
   */
  reserve(): void {
    if (this.nodes + this.height + 2 > this.keys.length / NODE) this.#growNodes()
    if (this.freeHandle === -1 && this.handles === this.leafOf.length) this.#growHandles()
  }

  allocNode(level: number): number {
    const { keys, refs } = this
    let n = this.freeNode
    if (n === -1) {
      n = this.top
      this.top += NODE
    } else {
      this.freeNode = refs[2 * n + PARENT]
    }
    keys.fill(-Infinity, n, n + START)
    keys.fill(Infinity, n + START, n + START + CAPACITY)
    refs[2 * n + COUNT] = 0
    refs[2 * n + PARENT] = -1
    refs[2 * n + LEVEL] = level
    this.nodes++
    return n
  }

  releaseNode(n: number): void {
    this.refs[2 * n + COUNT] = -1
    this.refs[2 * n + PARENT] = this.freeNode
    this.freeNode = n
    this.nodes--
  }

  allocHandle(): number {
    const handle = this.freeHandle
    if (handle === -1) return this.handles++
    this.freeHandle = -2 - this.leafOf[handle]
    return handle
  }

  releaseHandle(handle: number): void {
    this.leafOf[handle] = -2 - this.freeHandle
    this.freeHandle = handle
  }

  /** By half, not by doubling: at every size random insertion then stays below 64 bytes per interval. */
  #growNodes(): void {
    const nodes = this.keys.length / NODE
    const needed = this.nodes + this.height + 2
    if (needed > MAX_NODES) throw new RangeError(`the tree is full: it holds ${this.size} intervals in 8 GiB`)
    const keys = new Float64Array(Math.min(Math.max(nodes + (nodes >> 1), needed), MAX_NODES) * NODE)
    const refs = new Int32Array(keys.buffer)
    keys.set(this.keys)
    this.keys = keys
    this.refs = refs
  }

  #growHandles(): void {
    const leafOf = new Int32Array(2 * this.leafOf.length).fill(-1, this.leafOf.length)
    leafOf.set(this.leafOf)
    this.leafOf = leafOf
  }
}
