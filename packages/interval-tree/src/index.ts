export { IntervalTree } from './interval-tree.ts'
