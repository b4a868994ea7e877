import { isMainThread, parentPort } from 'node:worker_threads'
import type { ClaimJob, ClaimMessage } from './claims-job.ts'

/* A thread that explores variants, compiled: whatever it imports after the hook is, so nothing of that may be imported before. */
if (!isMainThread && parentPort) {
  const port = parentPort
  await import('@mmu-notifier/explore/register')
  const { findClaim, replayVariant, runVariant } = await import('@mmu-notifier/claims')
  const { formatCounterexample } = await import('@mmu-notifier/explore')

  const answer = async ({ id, name, replay }: ClaimJob): Promise<ClaimMessage> => {
    const variant = findClaim(id)?.variants.find((other) => other.name === name)
    if (!variant) return { kind: 'usage', message: `${id} has no variant ${name}` }
    if (replay === undefined) return { kind: 'row', row: await runVariant(variant) }
    try {
      const found = await replayVariant(variant, replay)
      return { kind: 'replayed', failed: found !== undefined, report: found ? formatCounterexample(found, 'a replay') : 'the execution that the token stands for passes' }
    } catch (error) {
      const { code, message } = error as { code?: unknown; message: string }
      if (code !== 'EINVAL') throw error
      return { kind: 'usage', message }
    }
  }
  port.on('message', (job: ClaimJob) => {
    void answer(job).then((message) => { port.postMessage(message) })
  })
}
