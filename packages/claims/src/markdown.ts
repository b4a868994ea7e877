import type { Counterexample } from '@mmu-notifier/explore'
import { formatCounterexample } from '@mmu-notifier/explore'
import type { Claim } from './claim.ts'
import type { Row } from './run.ts'

/** The chapter of one claim: what it says, what goes wrong without it, and in which order of steps. */
export function markdown({ id, title, source, says, variants }: Claim, rows: readonly Row[]): string {
  const of = (name: string): Row | undefined => rows.find((row) => row.name === name)
  const right = variants.filter(({ expect }) => expect === 'pass')
  const wrong = variants.filter(({ expect }) => expect !== 'pass')
  return [
    `## ${id}: ${title}`,
    `*Source: ${source}.*`,
    paragraphs(says),
    ...(right.length > 0 ? [right.map(({ name, does }) => `- **${name}** passes every interleaving (${(of(name)?.traces ?? 0).toLocaleString('en-US')} traces): ${does}.`).join('\n')] : []),
    ...wrong.flatMap(({ name, does }) => {
      const row = of(name)
      return [`### ${id} ${name}: ${does}`, ...(row?.counterexample ? [interleaving(row.counterexample)] : [])]
    }),
  ].join('\n\n')
}

/** All of it: `docs/claims.md`. */
export function book(results: readonly { readonly claim: Claim; readonly rows: readonly Row[] }[]): string {
  return `${outline(results.map(({ claim }) => claim))}\n${results.map(({ claim, rows }) => markdown(claim, rows)).join('\n\n')}\n`
}

/** What stands above the chapters. */
export function outline(claims: readonly Claim[]): string {
  return `# The claims, as experiments

*Generated from \`packages/claims\` by \`npm run docs\`; do not edit.*

In January 2020 two kernel developers worked out on the list how the interval notifiers of Linux could be found, counted, put and replaced (see \`packages/core\`). This is what they claimed, one claim a
chapter, with what follows from it and what the field has learnt since. Each claim is an experiment: the right design passes every interleaving of a small scenario, each wrong one fails, in the shortest interleaving that the checker finds.

How to read one: a column for each task, time going down; \`>\` marks where the schedule switches tasks although it need not; \`[…]\` are the locks held. "page 0", "frame 1": page p is mapped to frame p + 1 at first. Run any of them with
\`mmu-notifier claims ID --show NAME\`.

${claims.map(({ id, title }) => `- [${id}](#${anchor(`${id}: ${title}`)}): ${title}`).join('\n')}
`
}

function interleaving(example: Counterexample): string {
  // Lines of our own files would make the text depend on them.
  const { message, steps } = example
  const text = formatCounterexample({ ...example, site: undefined, otherSite: undefined, steps: steps.map((step) => ({ ...step, site: undefined })) }, '')
  const table = text.slice(text.indexOf('\n\n') + 2)
  return `\`\`\`text\n${message}\n\n${table.trimEnd()}\n\`\`\``
}

function paragraphs(text: string): string {
  return text
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replaceAll(/\s*\n\s*(?![-*|\s])/g, ' ').trim())
    .join('\n\n')
}

function anchor(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-')
}
