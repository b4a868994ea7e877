import { expect, test } from 'vitest'
import { createKernel } from '../src/index.ts'

test('a use after free names the use, the object and both tasks; so does a second free', async () => {
  const kernel = createKernel()
  const memory = kernel.memory('the object')
  memory.use('a walk')
  await kernel.spawn('owner', async () => { memory.free() }).join()
  expect(memory.freed).toBe(true)
  expect(() => { memory.use('a walk') }).toThrow('UAF  task main uses the object in a walk, which owner has freed')
  expect(() => { memory.free() }).toThrow('UAF  task main frees the object, which owner has freed')
})
