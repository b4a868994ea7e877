import { Trace } from './trace.js'

const PAGE = 4096
const REGION = 512 * PAGE
/** Operations per timed chunk: some milliseconds of ours at least, so more of them where they are fast. @param {number} n */
const chunkLength = (n) => (n > 10_000 ? 10_000 : 60_000)

/** Integers below `n`, the same in every run (a linear congruential generator, upper bits). */
let state = 0x2545f491
/** @param {number} n */
function random(n) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return Math.floor((state / 2 ** 32) * n)
}

/** @param {number} n @param {(trace: Trace) => void} step */
function chunk(n, step) {
  const trace = new Trace()
  while (trace.length < chunkLength(n)) step(trace)
  return trace
}

/**
 * Queries of `pages` pages somewhere in `space` pages.
 *
 * @param {number} n @param {'first' | 'overlaps'} op @param {number} space @param {number} pages
 */
const queries = (n, op, space, pages) => () =>
  chunk(n, (trace) => {
    const start = random(space) * PAGE
    trace[op](start, start + pages * PAGE - 1)
  })

/** @param {[start: number, last: number][]} intervals */
function inserts(intervals) {
  const trace = new Trace()
  for (const [id, [start, last]] of intervals.entries()) trace.insert(start, last, id)
  return trace
}

/**
 * n intervals with a random start in 4n pages and a geometric length of 4 pages in the mean: a page is in one of them on average.
 *
 * @param {number} n
 */
export function uniform(n) {
  const space = 4 * n
  const interval = () => {
    let pages = 1
    while (random(4) > 0) pages++
    const start = random(space) * PAGE
    return /** @type {[number, number]} */ ([start, start + pages * PAGE - 1])
  }
  const live = Array.from({ length: n }, interval)
  return {
    build: inserts(live),
    workloads: {
      'find-first': queries(n, 'first', space, 1),
      'overlaps ~1': queries(n, 'overlaps', space, 1),
      'overlaps ~10': queries(n, 'overlaps', space, 36),
      'remove, insert': () =>
        chunk(n, (trace) => {
          const id = random(n)
          trace.remove(...live[id], id)
          live[id] = interval()
          trace.insert(...live[id], id)
        }),
    },
  }
}

/**
 * n disjoint intervals of 2 MiB, and a driver that punches holes of one page: it looks the page up, removes the interval and inserts
 * what is left; a region in four pieces is looked up, removed and inserted whole. 80 % of the work is on 20 000 regions.
 *
 * @param {number} n
 */
export function driver(n) {
  /** @type {[start: number, last: number, id: number][][]} */
  const regions = Array.from({ length: n }, (_, id) => [[id * REGION, (id + 1) * REGION - 1, id]])
  const order = [...regions.keys()]
  for (let i = n - 1; i > 0; i--) {
    const j = random(i + 1)
    ;[order[i], order[j]] = [order[j], order[i]]
  }
  const build = new Trace()
  for (const id of order) build.insert(id * REGION, (id + 1) * REGION - 1, id)

  /** @param {Trace} trace */
  const punch = (trace) => {
    const region = random(5) > 0 ? random(Math.min(n, 20_000)) : random(n)
    const pieces = regions[region]
    if (pieces.length >= 4) {
      trace.overlaps(region * REGION, (region + 1) * REGION - 1)
      for (const piece of pieces) trace.remove(...piece)
      regions[region] = [[region * REGION, (region + 1) * REGION - 1, region]]
      trace.insert(...regions[region][0])
      return
    }
    const [start, last, id] = pieces.splice(random(pieces.length), 1)[0]
    const hole = start + random((last + 1 - start) / PAGE) * PAGE
    trace.first(hole, hole + PAGE - 1)
    trace.remove(start, last, id)
    // A region never has more than 4 pieces: 4 n ids, the n first for the whole regions.
    const free = [0, 1, 2, 3].map((i) => i * n + region).filter((other) => pieces.every((piece) => piece[2] !== other))
    for (const [from, to] of [[start, hole - 1], [hole + PAGE, last]]) {
      if (from > to) continue
      pieces.push([from, to, free.pop() ?? -1])
      trace.insert(...pieces[pieces.length - 1])
    }
    if (pieces.length === 0) {
      pieces.push([region * REGION, (region + 1) * REGION - 1, region])
      trace.insert(...pieces[0])
    }
  }
  const space = n * 512
  return {
    build,
    workloads: {
      'find-first': queries(n, 'first', space, 1),
      'overlaps ~1': queries(n, 'overlaps', space, 1),
      'driver trace': () => chunk(n, punch),
    },
  }
}
