import { fork } from 'node:child_process'
import { once } from 'node:events'

/** A process of its own for a contestant of a benchmark, with its own heap and type feedback. It answers one question after the other. */
export class BenchProcess {
  #process
  /** Rejects when the process has ended. @type {Promise<never>} */
  #ended

  /** @param {URL} module @param {readonly string[]} args @param {readonly string[]} execArgv flags of Node */
  constructor(module, args = [], execArgv = []) {
    this.#process = fork(module, args, { execArgv: [...execArgv] })
    this.#ended = once(this.#process, 'exit').then(([code]) => { throw new Error(`${[module.pathname, ...args].join(' ')} has ended with status ${code}`) })
    this.#ended.catch(() => undefined) // after `end` nobody asks
  }

  /** @param {import('node:child_process').Serializable} question */
  ask(question) {
    this.#process.send(question)
    return this.answer()
  }

  /** @returns what the process says next; rejects when it ends before */
  async answer() {
    const [message] = await Promise.race([once(this.#process, 'message'), this.#ended])
    return message
  }

  end() {
    this.#process.kill()
  }
}
