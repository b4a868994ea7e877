export { nouveau, nouveau as default } from './nouveau.ts'
