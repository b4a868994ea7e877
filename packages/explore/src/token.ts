import { MmuNotifierError } from '@mmu-notifier/kernel'
import type { Deviation } from './schedule.ts'

/**
 * A schedule as text, short enough to paste: `v1:8c1e:@9>cpu1,@14>device`. Only the deviations from the default are in it, so its length does not
 * depend on that of the execution. `+2` behind a
 * task is the way that its step takes, of several. `8c1e` is the scenario's fingerprint. Schedules that lead up to the last one, where a lock order seen in one execution is broken
 * in another, stand before it, divided by `|`. A livelock is one by the number of steps that were allowed, which stands at its end: `:200`.
 */
export interface Token {
  readonly fingerprint: string
  readonly schedules: readonly (readonly Deviation[])[]
  readonly maxSteps: number | undefined
}

export function formatToken({ fingerprint, schedules, maxSteps }: Token): string {
  const text = schedules.map((deviations) => deviations.map(({ step, task, way }) => `@${step}>${encodeURIComponent(task)}${way === undefined ? '' : `+${way}`}`).join(','))
  return `v1:${fingerprint}:${text.join('|')}${maxSteps === undefined ? '' : `:${maxSteps}`}`
}

/** @throws EINVAL for a text that is no token */
export function parseToken(text: string): Token {
  const [, fingerprint, rest, maxSteps] = /^v1:([0-9a-f]{4}):([^:]*)(?::([1-9]\d{0,8}))?$/.exec(text) ?? []
  if (fingerprint === undefined || rest === undefined) throw invalid(text)
  return {
    fingerprint,
    maxSteps: maxSteps === undefined ? undefined : Number(maxSteps),
    schedules: rest.split('|').map((schedule) =>
      schedule === ''
        ? []
        : schedule.split(',').map((part) => {
            const [, step, task, way] = /^@(\d{1,9})>([^@>+]*)(?:\+(\d{1,6}))?$/.exec(part) ?? []
            if (step === undefined || task === undefined) throw invalid(text)
            return { step: Number(step), task: decode(task, text), ...(way !== undefined && { way: Number(way) }) }
          }),
    ),
  }
}

function decode(task: string, text: string): string {
  try {
    return decodeURIComponent(task)
  } catch {
    throw invalid(text)
  }
}

function invalid(text: string): MmuNotifierError {
  return new MmuNotifierError('EINVAL', `EINVAL  expected a token like v1:8c1e:@9>cpu1,@14>device, got ${text}`)
}
