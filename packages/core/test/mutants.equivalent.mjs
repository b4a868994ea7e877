/** Mutants of the protocol file that change nothing that anybody can see, and why. By what `mutants.mjs` calls them, without the line. */
export const EQUIVALENT = {}
