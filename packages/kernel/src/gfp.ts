/**
 * How an allocation may get its memory. `GFP_KERNEL`, `GFP_NOFS` and `GFP_NOIO` may sleep and enter direct reclaim, which unmaps anonymous pages in each of them, and so calls notifiers; `GFP_NOWAIT`
 * and `GFP_ATOMIC` do neither. Linux: `gfp_t`.
 */
export type Gfp = 'GFP_KERNEL' | 'GFP_NOFS' | 'GFP_NOIO' | 'GFP_NOWAIT' | 'GFP_ATOMIC'

/** The class of the pseudo lock that stands for direct reclaim. */
export const FS_RECLAIM = 'fs_reclaim'

/** It may sleep, and enter direct reclaim. Linux: `gfpflags_allow_blocking()`. */
export function mayReclaim(gfp: Gfp): boolean {
  return gfp === 'GFP_KERNEL' || gfp === 'GFP_NOFS' || gfp === 'GFP_NOIO'
}
