import { expect, test } from 'vitest'
import { scene } from '../src/index.ts'

test('the scene shows the life of an interval in its order', async () => {
  const lines: string[] = []
  await scene((line) => { lines.push(line.replaceAll(/ +/g, ' ')) })
  const order = [
    'kswapd invalidates (clear) [0x107000, 0x108000); seq 15, the tree is frozen',
    'gpu faults finds [0x100000, 0x107fff] under the tree lock',
    'gpu faults takes a reference to [0x100000, 0x107fff]: 2 now',
    'gpu faults waits in readBegin, for the end of what has hit [0x100000, 0x107fff]',
    'munmap invalidates (unmap) [0x103000, 0x104000); seq 15, the tree is frozen',
    'munmap queues a batch: [0x100000, 0x107fff] out, [0x100000, 0x102fff] in, [0x104000, 0x107fff] in; 3 operations are deferred',
    'munmap returns',
    'munmap puts [0x200000, 0x200fff] asynchronously, and has it back at once; 4 operations are deferred',
    'munmap returns',
    'kswapd ends its invalidation of [0x107000, 0x108000); it was the last',
    'kswapd applies, all at once: [0x100000, 0x107fff] out, [0x100000, 0x102fff] in, [0x104000, 0x107fff] in, [0x200000, 0x200fff] out; seq 16',
    'kswapd releases [0x200000, 0x200fff]',
    'gpu faults must retry: [0x100000, 0x107fff] is dying',
    'gpu faults puts its reference to [0x100000, 0x107fff]: 0 left',
    'gpu faults releases [0x100000, 0x107fff]',
    'gpu faults finds [0x104000, 0x107fff] under the tree lock',
    'gpu faults maps 0x107000 on the device',
    'gpu engine returns',
  ]
  expect(lines.filter((line) => order.includes(line))).toEqual(order)
  expect(lines.filter((line) => line.includes('releases')).length).toBe(2)
})
