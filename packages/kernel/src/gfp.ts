/**
 * How an allocation may get its memory. `GFP_KERNEL` may sleep and enter direct reclaim, which takes whatever locks a shrinker or a notifier takes; `GFP_NOFS` may sleep, and reclaims
 * nothing that takes locks; the others do neither. Linux: `gfp_t`.
 */
export type Gfp = 'GFP_KERNEL' | 'GFP_NOFS' | 'GFP_NOWAIT' | 'GFP_ATOMIC'

/** The class of the pseudo lock that stands for direct reclaim. */
export const FS_RECLAIM = 'fs_reclaim'

export function maySleep(gfp: Gfp): boolean {
  return gfp === 'GFP_KERNEL' || gfp === 'GFP_NOFS'
}

export function mayReclaim(gfp: Gfp): boolean {
  return gfp === 'GFP_KERNEL'
}
