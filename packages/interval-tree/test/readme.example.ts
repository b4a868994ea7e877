import { IntervalTree } from '@mmu-notifier/interval-tree'

const tree = new IntervalTree()
const names: string[] = [] // your objects, by handle

names[tree.insert(0x1000, 0x4fff)] = 'heap'
names[tree.insert(0x8000, 0x9fff)] = 'stack'
names[tree.insert(0x4000, 0x8fff)] = 'ring'

/** Prints everything that munmap of [start, end) would touch: intervals are inclusive, so the last byte is end - 1. */
function touches(start: number, end: number) {
  for (let handle = tree.findFirst(start, end - 1); handle !== -1; handle = tree.findNext(handle, start, end - 1)) {
    console.log(`${names[handle]} [${tree.startOf(handle).toString(16)}, ${tree.lastOf(handle).toString(16)}]`)
  }
}

touches(0x4000, 0x9000)
