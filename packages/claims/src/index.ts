export { CLAIMS, findClaim } from './catalogue.ts'
export { asExpected, type Claim, type Oracle, type Variant } from './claim.ts'
export { book, markdown, outline } from './markdown.ts'
export { replayVariant, runClaim, runVariant, SCHEDULES, type Row } from './run.ts'
