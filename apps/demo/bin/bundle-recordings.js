// Copies the recordings that the package carries from the repository's fixtures: part of the build, not of the package's use.
import { cpSync, mkdirSync } from 'node:fs'

const from = new URL('../../../fixtures/recordings/', import.meta.url)
const to = new URL('../recordings/', import.meta.url)
const FILES = ['trace.strace.gz', 'checkpoints.maps.gz', 'faults.txt.gz', 'provenance.json']

for (const name of ['python-mix']) {
  mkdirSync(new URL(`${name}/`, to), { recursive: true })
  for (const file of FILES) cpSync(new URL(`${name}/${file}`, from), new URL(`${name}/${file}`, to))
}
