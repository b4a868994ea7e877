import { createKernel } from '@mmu-notifier/kernel'
import { PhysicalMemory } from '@mmu-notifier/mm'
import { openRecording, replay } from '@mmu-notifier/recording'

const recording = await openRecording(new URL('../../../fixtures/recordings/sh-pipe', import.meta.url))
const memory = new PhysicalMemory(createKernel())

const report = await replay(recording, memory, {
  mmCreated(mm, processId) {
    console.log(`${processId} has ${Array.from(mm.vmas()).length} areas`) // insert your notifiers here
  },
})

const { compared, equal } = report.checkpoints
console.log(`${report.calls} calls and ${report.faults.performed} page faults of ${report.processes} processes`)
console.log(`${equal} of ${compared} maps are as the kernel showed them, ${report.uncertain.length} calls are uncertain`)
