export {
  HMM_DMIRROR_PROT_DEV_COHERENT_LOCAL, HMM_DMIRROR_PROT_DEV_COHERENT_REMOTE, HMM_DMIRROR_PROT_DEV_PRIVATE_LOCAL,
  HMM_DMIRROR_PROT_ERROR, HMM_DMIRROR_PROT_NONE, HMM_DMIRROR_PROT_PMD, HMM_DMIRROR_PROT_READ, HMM_DMIRROR_PROT_WRITE, HMM_DMIRROR_PROT_ZERO,
} from './dmirror-commands.ts'
export { DmirrorDevice, type DmirrorDeviceOptions, type DmirrorForm } from './dmirror-device.ts'
export type { TableEntry } from './dmirror-table.ts'
export type { Dmirror, ReadResult } from './dmirror.ts'
export { selftest, selftest as default } from './selftest.ts'
