/** Something the caller of the command line has to change: one line, exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
