/** Flags of Node for who runs recorded programs. */

/** A process that waits for its turn shrinks its young generation, and would spend the next turn on growing it: twice the time, at first. A command does not wait. */
export const YOUNG = '--min-semi-space-size=16'
/** As `mmu-notifier diff` runs them: with ordinary functions. */
export const SEQUENTIAL = ['--import', '@mmu-notifier/explore/sequential']
