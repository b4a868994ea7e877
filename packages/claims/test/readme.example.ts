import { findClaim, runClaim } from '@mmu-notifier/claims'

const claim = findClaim('MAIN-1')
if (!claim) throw new Error('no such claim')
console.log(`${claim.id}: ${claim.title}`)
for (const { name, expect, verdict, oracle, switches } of await runClaim(claim)) {
  console.log(`${name}: expected ${expect}, found ${oracle ?? verdict}${switches === undefined ? '' : `, ${switches} switches`}`)
}
