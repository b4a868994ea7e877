import { isAccessError, type Device } from '@mmu-notifier/driver'
import type { DeviceAccess } from '@mmu-notifier/fake-mmu'
import type { Kernel, Task, WaitQueue } from '@mmu-notifier/kernel'

/** Accesses that may wait for the device before the CPU has to wait for it. */
const DEPTH = 32

/**
 * The engine of a device: a task that performs accesses in the order in which they were queued, while the CPU goes on. So an access may
 * come late: its page may have been unmapped, or be under invalidation.
 */
export class Engine {
  readonly #device: Device
  readonly #queue: { readonly address: number; readonly access: DeviceAccess }[] = []
  readonly #changed: WaitQueue
  readonly #task: Task
  #closed = false
  #failure: { readonly error: unknown } | undefined
  /** Accesses that went through. */
  performed = 0
  /** Accesses that the address space did not allow: the device's SIGSEGV. */
  refused = 0

  constructor(kernel: Kernel, device: Device) {
    this.#device = device
    this.#changed = kernel.waitQueue(`${device.name}.queue`)
    this.#task = kernel.spawn(`${device.name} engine`, () => this.#run())
  }

  /** Queues an access; waits while the queue is full. Throws what stopped the engine. */
  async push(address: number, access: DeviceAccess): Promise<void> {
    await this.#changed.until(() => this.#queue.length < DEPTH || this.#failure !== undefined)
    if (this.#failure) throw this.#failure.error
    this.#queue.push({ address, access })
    await this.#changed.wakeAll()
  }

  /** Waits for the accesses that are queued, then ends the engine. Throws what stopped it. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#changed.wakeAll()
    await this.#task.join()
    if (this.#failure) throw this.#failure.error
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        await this.#changed.until(() => this.#queue.length > 0 || this.#closed)
        const next = this.#queue.shift()
        if (!next) return
        await this.#changed.wakeAll()
        await this.#access(next.address, next.access)
      }
    } catch (error) {
      this.#failure = { error }
      await this.#changed.wakeAll()
    }
  }

  async #access(address: number, access: DeviceAccess): Promise<void> {
    try {
      await this.#device.touch(address, access)
      this.performed++
    } catch (error) {
      if (!isAccessError(error)) throw error
      this.refused++
    }
  }
}
