import { createKernel } from '@mmu-notifier/kernel'

const kernel = createKernel()
const mmapLock = kernel.rwSemaphore('mmap_lock')
const driverLock = kernel.mutex('driver.lock')

const munmap = kernel.spawn('munmap', () =>
  mmapLock.write(async () => {
    await driverLock.lock()
    console.log(`${kernel.current.name} holds ${kernel.current.held.map((lock) => lock.lockClass).join(', ')}`)
    await driverLock.unlock()
  }),
)
await munmap.join()

const fault = kernel.spawn('fault', () => driverLock.with(() => mmapLock.lockRead()))
await fault.join().catch((error: unknown) => {
  console.log((error as Error).message)
})
