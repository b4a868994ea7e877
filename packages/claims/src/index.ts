export { asExpected, type Claim, type Oracle, type Variant } from './claim.ts'
export { runClaim, runVariant, SCHEDULES, type Row } from './run.ts'
