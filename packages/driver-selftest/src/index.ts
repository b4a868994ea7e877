export { selftest, selftest as default } from './selftest.ts'
