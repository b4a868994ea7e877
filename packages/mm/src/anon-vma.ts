import { AreaTree } from './area-tree.ts'
import type { ReverseMap } from './frames.ts'
import type { VmArea } from './vma.ts'

/**
 * What private pages belong to: the areas in which a page that was made here may be mapped now, in this address space and in its children.
 * Neighbours that could become one area share it. Linux: `struct anon_vma`.
 */
export class AnonVma implements ReverseMap {
  readonly anonymous = true
  readonly areas: AreaTree = new AreaTree()
}

/** The area's first own anonVma; it was there before if the area had one. */
export function linkAnonVma(area: VmArea, anonVma: AnonVma): void {
  area.anonVma = anonVma
  area.chain = [...area.chain, anonVma]
  anonVma.areas.insert(area)
}

/** The copy that a fork makes: its pages are those of the parent until it makes its own. Linux: `anon_vma_fork()`. */
export function forkAnonVma(copy: VmArea, parent: VmArea): void {
  if (!parent.anonVma) return
  cloneAnonVma(copy, parent)
  linkAnonVma(copy, new AnonVma())
}

/** `copy` can hold the pages of `area` too. Linux: `anon_vma_clone()`. */
export function cloneAnonVma(copy: VmArea, area: VmArea): void {
  copy.anonVma = area.anonVma
  copy.chain = area.chain
  for (const anonVma of copy.chain) anonVma.areas.insert(copy)
}

/** No private page of the area is left. Linux: `unlink_anon_vmas()`. */
export function unlinkAnonVma(area: VmArea): void {
  for (const anonVma of area.chain) anonVma.areas.remove(area)
  area.anonVma = undefined
  area.chain = NO_CHAIN
}

export const NO_CHAIN: readonly AnonVma[] = []

/** The area was not made by a fork, or has made no private page. Linux: `list_is_singular()` of the chain. */
function isSingular({ chain }: VmArea): boolean {
  return chain.length === 1
}

/**
 * Whether `area` may be joined with its neighbour `target`. One that has private pages does not join one that has none: so it is up to
 * Linux 6.15, though the other way round it does. Linux: `is_mergeable_anon_vma()`.
 */
export function joinsAnonVma(area: VmArea, target: VmArea): boolean {
  if ((!area.anonVma || !target.anonVma) && isSingular(target)) return true
  return area.anonVma === target.anonVma
}

/** The same for the two on both sides of an area that joins either. */
export function bothJoin(left: VmArea, right: VmArea): boolean {
  return !left.anonVma || !right.anonVma || left.anonVma === right.anonVma
}

/** The anonVma of a neighbour that `area` could be joined with, but for the access it allows. Linux: `find_mergeable_anon_vma()`. */
export function reusableAnonVma(previous: VmArea | undefined, area: VmArea, next: VmArea | undefined): AnonVma | undefined {
  if (next?.anonVma && isSingular(next) && next.continues(area, true)) return next.anonVma
  if (previous?.anonVma && isSingular(previous) && area.continues(previous, true)) return previous.anonVma
  return undefined
}
