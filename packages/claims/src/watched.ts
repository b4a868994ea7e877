import { Invariants, type NotifierSubscriptions } from '@mmu-notifier/core'
import type { Scenario } from '@mmu-notifier/explore'
import type { Variant } from './claim.ts'

/** The scenario of a variant, with I1 to I20 attached where its state says which address space it is about. */
export function watched({ scenario, invariants = true }: Variant): Scenario {
  if (!invariants) return scenario
  return {
    ...scenario,
    async setup(kernel) {
      const state = await scenario.setup(kernel)
      const { world } = state as { readonly world?: { readonly notifiers: NotifierSubscriptions } }
      if (world) new Invariants(kernel, world.notifiers)
      return state
    },
  }
}
