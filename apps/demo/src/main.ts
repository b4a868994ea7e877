import { isMmuNotifierError } from '@mmu-notifier/kernel'
import { STRATEGIES } from '@mmu-notifier/explore'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { readFileSync } from 'node:fs'
import type { ClaimsOptions } from './claims-command.ts'
import type { DiffOptions } from './diff-command.ts'
import { UsageError } from './errors.ts'
import type { ExploreCommandOptions } from './explore-command.ts'
import type { ReplayOptions } from './replay.ts'
import { DEVICES, FORMS, THP, type SelftestOptions } from './selftest-options.ts'

/** Of `explore`: what has no effect where nothing is searched. */
const OF_SEARCHES = ['strategy', 'budget', 'seed', 'preemptions', 'depth', 'shard', 'jobs'] as const

/**
 * The command line. A command is loaded when it is run: all of them together take longer than most answers.
 * @returns the exit status: 0, 1 when something did not hold, 2 when the caller has to change something
 */
export async function main(args: readonly string[]): Promise<number> {
  let status = 0
  const program = new Command('mmu-notifier')
    .description('Replays recordings of real programs with drivers attached; explores every interleaving of small programs.')
    .version(version())
    .exitOverride()

  program
    .command('demo')
    .description('replay the bundled recording with both drivers, then show one scene of find, batch, put and release')
    .option('--seed <n>', 'seed of the scheduler', integer, 1)
    .action(async ({ seed }: { seed: number }) => {
      const { demoCommand } = await import('./demo.ts')
      status = await demoCommand(seed)
    })

  program
    .command('replay')
    .description('replay a recording: a directory with trace.strace, or a plain strace file')
    .argument('<recording>', 'directory or file, gzipped or not')
    .option('--driver <name|module>', 'selftest, nouveau, or a module with a driver as default export; may be repeated (default: both)', collect)
    .option('--seed <n>', 'seed of the scheduler', integer, 1)
    .option('--json', 'print one JSON object')
    .action(async (path: string, options: ReplayOptions) => {
      const { replayCommand } = await import('./replay.ts')
      status = await replayCommand(path, options)
    })

  program
    .command('diff')
    .description('run programs that were recorded on a real kernel with its self-test driver, and compare everything that can be seen')
    .argument('<path...>', 'recorded programs (.jsonl, gzipped or not), folders of them, or scripts (.txt), of which it prints what the model does')
    .option('--json', 'print one JSON object')
    .action(async (paths: string[], options: DiffOptions) => {
      const { diffCommand } = await import('./diff-command.ts')
      status = await diffCommand(paths, options)
    })

  program
    .command('selftest')
    .description("run the kernel's hmm-tests on the model of its self-test device, and print TAP")
    .argument('[name...]', 'anon_read, migrate … (default: all)')
    .addOption(new Option('--form <form>', "of the driver: the kernel's, or that of the thread's series").choices([...FORMS, 'both']).default('both'))
    .addOption(new Option('--device <kind>', 'memory of the devices').choices([...DEVICES, 'both']).default('both'))
    .addOption(new Option('--thp <when>', 'transparent huge pages').choices([...THP]).default('never'))
    .option('--json', 'print one JSON object')
    .action(async (names: string[], options: SelftestOptions) => {
      const { selftestCommand } = await import('./selftest-command.ts')
      status = await selftestCommand(names, options)
    })

  program
    .command('explore')
    .description('run the scenario that a module exports in every order that matters, and print the shortest schedule in which it fails')
    .argument('<file...>', 'a JavaScript or TypeScript module whose default export is a scenario; with --merge, files with what --json printed')
    .option('--scenario <name>', 'the export that is the scenario')
    .addOption(new Option('--strategy <name>', 'how to search').choices([...STRATEGIES]).default('portfolio'))
    .option('--budget <n>', 'executions at the most', positive, 20_000)
    .option('--seed <n>', 'seed of the random walks (default: 1)', integer)
    .option('--preemptions <k>', 'for portfolio and bounded (default: 2)', integer)
    .option('--depth <d>', 'for portfolio and pct (default: 3)', positive)
    .option('--no-lockdep', 'leave the order of locks unchecked')
    .option('--max-steps <n>', 'steps of one execution before it is called a livelock (default: 10000)', positive)
    .option('--shard <i/n>', 'only the i-th of n parts, as other machines explore the others')
    .option('--jobs <n>', 'threads', positive, 1)
    .addOption(new Option('--replay <token>', 'only the execution that a report gave this token').conflicts([...OF_SEARCHES]))
    .addOption(new Option('--merge', 'add up what shards printed with --json').conflicts([...OF_SEARCHES, 'replay', 'scenario', 'lockdep', 'maxSteps']))
    .option('--trace <file>', 'write the failing execution as Chrome Trace Event JSON, for Perfetto')
    .option('--json', 'print one JSON object')
    .action(async (files: string[], options: ExploreCommandOptions) => {
      const { exploreCommand } = await import('./explore-command.ts')
      status = await exploreCommand(files, options)
    })

  program
    .command('claims')
    .description('run the claims of the thread, and the bugs of the field, as experiments: right variants in every interleaving, wrong ones until they fail')
    .argument('[id...]', 'C16, V3, B40, MAIN-1 … (default: all)')
    .addOption(new Option('--show <variant>', 'print the report of one variant of one claim').conflicts(['jobs', 'json', 'markdown']))
    .option('--replay <token>', 'with --show: only the schedule that the table gave this token')
    .option('--jobs <n>', 'threads (default: as many as there are CPUs)', positive)
    .addOption(new Option('--json', 'print one JSON array').conflicts('markdown'))
    .option('--markdown', 'print the book that docs/claims.md is')
    .action(async (ids: string[], options: ClaimsOptions) => {
      const { claimsCommand } = await import('./claims-command.ts')
      status = await claimsCommand(ids, options)
    })

  try {
    await program.parseAsync(args, { from: 'user' })
    return status
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    console.error(`mmu-notifier: ${explain(error)}`)
    return isCallersBusiness(error) ? 2 : 1
  }
}

function isCallersBusiness(error: unknown): boolean {
  return error instanceof UsageError || isMmuNotifierError(error, 'ERECORDING')
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (isCallersBusiness(error) || isMmuNotifierError(error)) return error.message
  return process.env['MMU_NOTIFIER_DEBUG'] ? (error.stack ?? error.message) : `${error.name}: ${error.message} (MMU_NOTIFIER_DEBUG=1 shows where)`
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  return manifest.version
}

function integer(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number below 10^9')
  return Number(text)
}

function positive(text: string): number {
  const n = integer(text)
  if (n < 1) throw new InvalidArgumentError('expected a whole number of at least 1')
  return n
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value]
}
