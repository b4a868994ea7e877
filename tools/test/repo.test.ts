import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { ENTRY_POINTS, LAYERS, NODE_ONLY } from '../layers.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SCOPE = '@mmu-notifier/'

interface Manifest {
  name: string
  version: string
  private?: boolean
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  [field: string]: unknown
}

interface Room {
  name: string
  dir: string
  folder: string
  manifest: Manifest
}

const rooms: Room[] = ['packages', 'apps'].flatMap((group) =>
  readdirSync(join(ROOT, group)).map((name) => {
    const folder = join(ROOT, group, name)
    return { name, dir: `${group}/${name}`, folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest }
  }),
)
const packages = rooms.filter((room) => room.dir.startsWith('packages/'))

/** A tsconfig's references; the format allows comments. */
function references(file: string): string[] {
  const { config } = ts.parseConfigFileTextToJson(file, readFileSync(file, 'utf8')) as { config: { references: { path: string }[] } }
  return config.references.map(({ path }) => path)
}

function sources(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).map((file) => join(folder, file))
}

/** The modules that a folder imports, relative ones left out: package names, `node:` modules. */
function imports(folder: string, except?: string): Set<string> {
  const found = new Set<string>()
  for (const file of sources(folder)) {
    if (except !== undefined && file.startsWith(join(except, '/'))) continue
    const code = readFileSync(file, 'utf8').replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '')
    for (const [, from] of code.matchAll(/(?:^|\s)(?:from|import|declare module)\s*\(?\s*'([^'.][^']*)'/gm)) {
      if (from) found.add(from.startsWith('node:') ? from : from.split('/').slice(0, from.startsWith('@') ? 2 : 1).join('/'))
    }
  }
  return found
}

/** A part for Node alone, compiled apart from the rest, which then cannot lean on it. */
function hasNodePart(folder: string): boolean {
  return existsSync(join(folder, 'src/node'))
}

/** Where an entry point is found by this repository, by compilers and by programs. */
function entry(file: string): object {
  return { '@mmu-notifier/source': `./src/${file}.ts`, types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` }
}

function ours(names: Iterable<string>): string[] {
  return [...names].filter((name) => name.startsWith(SCOPE)).map((name) => name.slice(SCOPE.length)).sort()
}

test('every room has its layer, and every layer its room', () => {
  expect(rooms.map((room) => room.name).sort()).toEqual(Object.keys(LAYERS).sort())
})

test('no layer is above itself', () => {
  const order = Object.keys(LAYERS)
  for (const [name, below] of Object.entries(LAYERS)) {
    for (const other of below) expect(order.indexOf(other), `${name} may import ${other}, which is listed above it`).toBeLessThan(order.indexOf(name))
  }
})

describe.each(rooms)('$name', ({ name, dir, folder, manifest }) => {
  const used = imports(join(folder, 'src'))

  test('imports only what lies below it', () => {
    expect(LAYERS[name]).toEqual(expect.arrayContaining(ours(used)))
  })

  test('declares what it imports, and nothing else', () => {
    const needed = [...used].filter((module) => !module.startsWith('node:')).sort()
    expect(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).sort()).toEqual(needed)
  })

  test('declares what its tests and benchmarks import', () => {
    const declared = { ...manifest.dependencies, ...manifest.devDependencies, vitest: '', 'fast-check': '', [manifest.name]: '' }
    for (const part of ['test', 'bench']) {
      for (const module of imports(join(folder, part))) if (!module.startsWith('node:')) expect(Object.keys(declared), `${dir}/${part}`).toContain(module)
    }
  })

  test('asks for the versions that are here', () => {
    for (const other of packages) {
      const range = manifest.dependencies?.[other.manifest.name]
      if (range !== undefined) expect(range).toBe(`^${other.manifest.version}`)
    }
  })

  test('references the projects that it depends on', () => {
    // A package's part for Node is a project of its own.
    const packagesOf = (paths: string[]): string[] => [...new Set(paths.map((path) => path.replace(/\/src\/node$/, '').split('/').at(-1) ?? ''))].sort()
    const referenced = packagesOf(references(join(folder, 'tsconfig.json')))
    expect(referenced).toEqual(ours(Object.keys(manifest.dependencies ?? {})))
  })

  test('leans on Node only where it says so', () => {
    if (NODE_ONLY.has(name)) return
    expect([...imports(join(folder, 'src'), join(folder, 'src/node'))].filter((module) => module.startsWith('node:'))).toEqual([])
    expect(readFileSync(join(folder, 'tsconfig.json'), 'utf8')).not.toMatch(/"types"|"lib"/)
  })

  test('is part of the whole build', () => {
    const node = hasNodePart(folder) ? [`${dir}/src/node`] : []
    expect(references(join(ROOT, 'tsconfig.json'))).toEqual(expect.arrayContaining([dir, ...node, `${dir}/test`]))
  })

  test('has tests', () => {
    expect(readdirSync(join(folder, 'test'), { recursive: true, encoding: 'utf8' }).some((file) => file.endsWith('.test.ts'))).toBe(true)
  })
})

describe.each(packages)('$name', ({ name, dir, folder, manifest }) => {
  test('has the fields that all packages have', () => {
    const { description, dependencies, peerDependencies, peerDependenciesMeta, devDependencies, scripts, ...rest } = manifest
    const entries = Object.entries({ '.': 'index', ...ENTRY_POINTS[name] }).map(([path, file]) => [path, entry(file)] as const)
    expect(description).toMatch(/^[A-Z].{40,}[^.]$/)
    expect(rest).toEqual({
      name: SCOPE + name,
      version: packages[0]?.manifest.version,
      license: 'MIT',
      type: 'module',
      sideEffects: false,
      engines: { node: '>=20.19' },
      repository: { type: 'git', url: 'git+https://github.com/mmu-notifier/mmu-notifier.git', directory: dir },
      exports: { ...Object.fromEntries(entries), './package.json': './package.json' },
      files: ['dist', hasNodePart(folder) ? '!dist/**/.tsbuildinfo' : '!dist/.tsbuildinfo', 'src'],
      publishConfig: { access: 'public' },
    })
    expect(scripts).toMatchObject({
      build: hasNodePart(folder) ? 'tsc -b src/node' : 'tsc -b',
      typecheck: 'tsc -b test',
      test: `vitest run --root ../.. --project ${name}`,
      package: 'publint --strict && attw --pack . --profile esm-only --quiet',
    })
    // What has to be installed along with a package is a dependency; a peer is one that it can do without.
    expect(peerDependenciesMeta).toEqual(peerDependencies && Object.fromEntries(Object.keys(peerDependencies).map((peer) => [peer, { optional: true }])))
    expect([dependencies, devDependencies].every((field) => field === undefined || Object.keys(field as object).length > 0)).toBe(true)
  })

  test('has a README whose first screen says what it is, how to install it, and shows a program', () => {
    const readme = readFileSync(join(folder, 'README.md'), 'utf8')
    expect(readme).toMatch(new RegExp(`^# ${SCOPE}${name}\n\n\\S`))
    const screen = readme.split('\n').slice(0, 60).join('\n')
    expect(screen).toContain(`npm install ${SCOPE}${name}`)
    expect(screen).toContain('```ts')
    expect(readme).toMatch(/^## Limits$/m)
  })
})

test('index files only hand on what other files export', () => {
  for (const { folder, dir } of packages) {
    const code = readFileSync(join(folder, 'src/index.ts'), 'utf8').replaceAll(/\/\*[^]*?\*\/|^\/\/.*$/gm, '').replaceAll(/\{[^}]*\}/g, '{}')
    for (const line of code.split('\n')) expect(line, dir).toMatch(/^(|import '\.\/[\w-]+\.ts'|export (type )?(\{\}|\*) from '\.\/[\w-]+\.ts')$/)
  }
})
