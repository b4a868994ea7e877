import type { DmirrorForm } from '@mmu-notifier/driver-selftest'
import type { DeviceMemoryKind, TransparentHugepage } from '@mmu-notifier/mm'

export const FORMS: readonly DmirrorForm[] = ['kernel', 'v6']
export const DEVICES: readonly DeviceMemoryKind[] = ['private', 'coherent']
export const THP: readonly TransparentHugepage[] = ['always', 'madvise', 'never']

export interface SelftestOptions {
  readonly form: DmirrorForm | 'both'
  readonly device: DeviceMemoryKind | 'both'
  readonly thp: TransparentHugepage
  readonly json?: boolean
}
