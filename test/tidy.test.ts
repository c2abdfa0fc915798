import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { commonKeys } from '../shared/core/policy/index.js'
import { codes } from '../shared/core/ports/errors.js'
import type { PolicyKey } from '../shared/core/ports/rotator.js'
import { remedies } from '../shared/core/remedies.js'
import { loadRotator, offeredKinds, rotatorKinds, rotators } from '../shared/rotators/registry.js'
import { stores } from '../shared/stores/registry.js'

const root = findRoot(dirname(fileURLToPath(import.meta.url)))
function findRoot(folder: string): string {
  return existsSync(join(folder, 'package-lock.json')) ? folder : findRoot(dirname(folder))
}
const filesBelow = (folder: string, ending = '.ts'): readonly string[] =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(ending) && !entry.parentPath.includes('node_modules'))
        .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    : []
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8')
const linesOf = (file: string): number => textOf(file).trimEnd().split('\n').length

const shipped = ['shared', 'cli', 'functions'].flatMap((folder) => filesBelow(folder))
const all = [...shipped, ...filesBelow('scripts'), ...filesBelow('test')]

/** Where a room's files may import from, beside their own room. */
const arrows: readonly (readonly [room: string, allowed: readonly string[], why: string])[] = [
  ['shared/core/', [], 'core imports nothing of ours'],
  ...lifecycleRooms(),
  ['shared/aws/', ['shared/core/'], 'what every client of AWS shares'],
  ['shared/google/', ['shared/core/'], 'what every client of a REST interface of Google shares'],
  ['shared/azure/', ['shared/core/'], 'what every client of a REST interface of Azure shares'],
  [
    'shared/stores/',
    ['shared/core/', 'shared/aws/', 'shared/azure/', 'shared/google/'],
    'a store is told what to keep; it decides nothing',
  ],
  [
    'shared/rotators/',
    ['shared/core/', 'shared/aws/', 'shared/azure/', 'shared/google/'],
    'a rotator gets values passed in; reading the store is a lifecycle step',
  ],
  ['shared/kubernetes/', ['shared/core/', 'shared/azure/', 'shared/google/'], 'what every client of a cluster shares'],
  [
    'shared/notifiers/',
    ['shared/core/', 'shared/azure/', 'shared/google/', 'shared/kubernetes/'],
    'a notifier tells one consumer; who is told, and what follows, is the lifecycle',
  ],
  ['shared/artefacts/', ['shared/core/', 'shared/kubernetes/'], 'an artefact takes what is public and knows nothing of secrets'],
  [
    'shared/app/',
    [
      'shared/core/',
      'shared/artefacts/',
      'shared/kubernetes/',
      'shared/lifecycle/',
      'shared/stores/',
      'shared/rotators/',
      'shared/notifiers/',
    ],
    'the composition root',
  ],
  [
    'functions/aws/',
    ['shared/core/', 'shared/lifecycle/', 'shared/app/', 'shared/stores/aws-secrets-manager'],
    'one cloud, its own store and no other',
  ],
  [
    'functions/gcp/',
    ['shared/core/', 'shared/lifecycle/', 'shared/app/', 'shared/google/', 'shared/notifiers/registry', 'shared/stores/gcp-secret-manager'],
    'one cloud, its own store and no other',
  ],
  [
    'functions/azure/',
    ['shared/core/', 'shared/lifecycle/', 'shared/app/', 'shared/azure/', 'shared/notifiers/registry', 'shared/stores/azure-key-vault'],
    'one cloud, its own store and no other',
  ],
  ['cli/', ['shared/core/', 'shared/lifecycle/', 'shared/app/', 'package.json'], 'the command line calls the app'],
]

/** An arrow runs only downward, and rotation and retirement do not know one another. None of them knows an implementation. */
function lifecycleRooms(): (typeof arrows)[number][] {
  const rows: readonly (readonly [room: string, below: readonly string[], why: string])[] = [
    ['guard', [], 'what stands around every port knows no rule of the lifecycle'],
    ['decide', [], 'what comes next is decided from the state alone'],
    ['secret', ['decide', 'guard'], 'a secret is opened for whoever acts on it'],
    ['consumers', ['secret', 'decide', 'guard'], 'who reads a secret is told, whatever happens to it next'],
    [
      'rotation',
      ['consumers', 'secret', 'decide', 'guard'],
      'a rotation ends with its publication and retires nothing that it did not make',
    ],
    ['retirement', ['consumers', 'secret', 'decide', 'guard'], 'what left is retired without a rotation'],
    ['service', ['rotation', 'consumers', 'secret', 'decide', 'guard'], 'only who has a platform that drives carries this'],
    [
      'fleet',
      ['service', 'rotation', 'retirement', 'consumers', 'secret', 'decide', 'guard'],
      'a look at all secrets does nothing to one that has no function of its own',
    ],
  ]
  const path = (room: string): string => `shared/lifecycle/${room}/`
  return rows.map(([room, below, why]) => [path(room), ['shared/core/', ...below.map(path)], why])
}
/** Where a file may import from a sibling of its own room. */
const siblingArrows: readonly (readonly [from: string, to: string, why: string])[] = [
  ['shared/rotators/', 'shared/rotators/sql/', 'what databases share, whatever their engine'],
  ['shared/notifiers/', 'shared/notifiers/topic/', 'what topics share, whatever their cloud'],
  ['shared/rotators/', 'shared/rotators/control-plane/', 'what rotators share that set passwords through a control plane'],
  [
    'shared/rotators/sql/inner.ts',
    'shared/rotators/postgres.ts',
    'a rotator that sets passwords through a control plane logs in by the rotator of the engine',
  ],
]

function importsOf(file: string): readonly string[] {
  const found = [...textOf(file).matchAll(/(?:from|import\(|\bimport)\s*'(\.[^']+)'/g)].map((match) => match[1] ?? '')
  return found.map((path) => normalize(join(dirname(file), path)).replace(/\.js$/, '.ts'))
}

/** The entry file or folder directly below a room of siblings: `shared/stores/file` for both file.ts and file/disk.ts. */
const siblingOf = (file: string): string => file.split('/').slice(0, 3).join('/').replace(/\.ts$/, '')

/** Groups of files that can be reached from one another, each sorted (Tarjan's strongly connected components). */
function circles(imports: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const [index, low] = [new Map<string, number>(), new Map<string, number>()]
  const path: string[] = []
  const found: string[][] = []
  const visit = (file: string): void => {
    index.set(file, index.size)
    low.set(file, index.get(file) ?? 0)
    path.push(file)
    for (const next of imports.get(file) ?? []) {
      if (!imports.has(next)) continue
      if (!index.has(next)) visit(next)
      if (path.includes(next)) low.set(file, Math.min(low.get(file) ?? 0, low.get(next) ?? 0))
    }
    if (low.get(file) !== index.get(file)) return
    const group = path.splice(path.indexOf(file))
    if (group.length > 1) found.push(group.sort())
  }
  for (const file of imports.keys()) if (!index.has(file)) visit(file)
  return found
}

const withoutComments = (code: string): string => code.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')

/** The texts of string and template literals, without comments and without what is inserted into templates. */
function stringsOf(code: string): readonly string[] {
  const bare = withoutComments(code).replace(/^import .*$|^} from .*$|^export .* from .*$/gm, '')
  return [...bare.matchAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g)].map(([text]) =>
    text.replaceAll('${prefix}', 'keyturn-').replace(/\$\{[^}]*\}/g, ' '),
  )
}

async function rotatorPolicyKeys(): Promise<readonly string[]> {
  const all = await Promise.all(rotatorKinds.map(async (kind) => (await loadRotator(kind)).about.policy))
  return [...new Set(all.flat().map(({ name }) => name))]
}

/** Every file that one needs, through whatever others. */
function reachedFrom(file: string, seen = new Set<string>()): ReadonlySet<string> {
  for (const next of existsSync(join(root, file)) ? importsOf(file) : []) {
    if (seen.has(next)) continue
    seen.add(next)
    reachedFrom(next, seen)
  }
  return seen
}

describe('tidy', () => {
  it('follows the arrows between rooms', () => {
    const wrong = arrows.flatMap(([room, allowed, why]) =>
      shipped
        .filter((file) => file.startsWith(room))
        .flatMap((file) =>
          importsOf(file)
            .filter((to) => !to.startsWith(room) && !allowed.some((place) => to.startsWith(place)))
            .map((to) => `${file} imports ${to}: ${why}`),
        ),
    )
    assert.deepEqual(wrong, [])
  })

  it('has a row for each room of the lifecycle', () => {
    const rooms = new Set(shipped.flatMap((file) => /^shared\/lifecycle\/[^/]+/.exec(file)?.[0] ?? []).map((room) => `${room}/`))
    assert.deepEqual([...rooms].filter((room) => !arrows.some(([row]) => row === room)).sort(), [])
  })

  it('has no two files that import each other in a circle', () => {
    assert.deepEqual(circles(new Map(shipped.map((file) => [file, importsOf(file)]))), [])
    assert.deepEqual(
      circles(
        new Map([
          ['a', ['b']],
          ['b', ['c', 'x']],
          ['c', ['a']],
          ['d', ['a']],
        ]),
      ),
      [['a', 'b', 'c']],
    )
  })

  it('has a row for each cloud that functions run on', () => {
    const rooms = shipped.flatMap((file) => /^functions\/[^/]+\//.exec(file)?.[0] ?? [])
    assert.deepEqual([...new Set(rooms)].filter((room) => !arrows.some(([row]) => row === room)).sort(), [])
  })

  it('carries what a driving platform needs only where one is: neither a rotation nor a sweep reaches it', () => {
    const within = (file: string) => [...reachedFrom(`shared/lifecycle/${file}`)].filter((to) => to.startsWith('shared/lifecycle/service/'))
    for (const file of ['rotation/rotate.ts', 'fleet/sweep.ts', 'fleet/plan.ts', 'retirement/retire.ts', 'consumers/announce.ts'])
      assert.deepEqual(within(file), [], file)
    assert.notDeepEqual(within('fleet/rotate-all.ts'), [])
  })

  it('names no rotator, no policy key of one and no cloud in the lifecycle', async () => {
    const inCore = new Set(commonKeys.map(({ name }) => name))
    const clouds = ['aws', 'gcp', 'azure', 'vault', 'k8s', 'kubernetes', 'postgresql', 'lambda', 'arn']
    const members = ['field', 'at'] // of errors, events and times: here they are no keys
    const keys = (await rotatorPolicyKeys()).filter((key) => !inCore.has(key))
    const names = [...rotatorKinds, ...clouds, ...keys.map((key) => `keyturn-${key}`)]
    const bare = keys.filter((key) => !members.includes(key))
    const words = new RegExp(`(?<![\\w-])(${names.join('|')})(?![\\w-])|^.(${bare.join('|')}).$`)
    for (const text of stringsOf("x = `${prefix}sessions`; y = 'Set keyturn-hash=server.'; z = 'length'")) assert.match(text, words)
    const found = shipped
      .filter((file) => file.startsWith('shared/lifecycle/'))
      .flatMap((file) =>
        stringsOf(textOf(file))
          .filter((text) => words.test(text))
          .map((text) => `${file}: ${text}`),
      )
    assert.deepEqual(found, [])
  })

  it('keeps stores from one another, and rotators from one another', () => {
    const wrong = shipped
      .filter((file) => /^shared\/(stores|rotators|notifiers)\//.test(file) && !file.endsWith('/registry.ts'))
      .flatMap((file) =>
        importsOf(file)
          .filter((to) => /^shared\/(stores|rotators|notifiers)\//.test(to) && siblingOf(to) !== siblingOf(file))
          .filter((to) => !siblingArrows.some(([from, there]) => file.startsWith(from) && to.startsWith(there)))
          .map((to) => `${file} imports ${to}`),
      )
    assert.deepEqual(wrong, [])
  })

  it('reaches notifiers through their registry alone', () => {
    const wrong = shipped
      .filter((file) => !file.startsWith('shared/notifiers/'))
      .flatMap((file) =>
        importsOf(file)
          .filter((to) => to.startsWith('shared/notifiers/') && to !== 'shared/notifiers/registry.ts')
          .map((to) => `${file} imports ${to}: a notifier that is added must change no other room`),
      )
    assert.deepEqual(wrong, [])
  })

  it('names no cloud in the app: a function is given its platform', () => {
    // What a value says of itself is read there: the values of one vendor's templates name an administrator by its ARN.
    const files = shipped.filter((file) => file.startsWith('shared/app/') && file !== 'shared/app/infer.ts')
    const cloud =
      /(?<![A-Za-z])(aws|arn|rds|gcp|azure)(?![a-z])|(Aws|Arn|Rds|Gcp|Azure)(?![a-z])|(?<![A-Za-z])(AWS|ARN|RDS|GCP|AZURE)(?![A-Za-z])/
    assert.deepEqual(
      files.filter((file) => cloud.test(withoutComments(textOf(file)))),
      [],
    )
  })

  it('keeps files small', () => {
    // A handler is what a platform calls: it only translates. What its cloud says, parsed (event.ts) or named (platform.ts), has room for tables.
    const isHandler = (file: string): boolean => /^export (const|(async )?function) handler\b/m.test(textOf(file))
    const limitOf = (file: string): number => {
      if (file.startsWith('test/')) return 400
      if (file.startsWith('functions/')) return isHandler(file) ? 40 : 80
      return /^shared\/rotators\/[^/]+$/.test(file) ? 150 : 250
    }
    const inFunctions = all.filter((file) => file.startsWith('functions/'))
    assert.ok(inFunctions.some(isHandler) && !inFunctions.every(isHandler))
    assert.deepEqual(
      all.filter((file) => linesOf(file) > limitOf(file)).map((file) => `${file}: ${linesOf(file)} lines`),
      [],
    )
  })

  it('reads time and chance in one place', () => {
    const banned = /\bMath\.random\(|Date\.now\(|new Date\(\)|\bsetTimeout\(|\bsetInterval\(|\brandomBytes\b|\brandomUUID\b/
    assert.deepEqual(
      shipped.filter((file) => file !== 'shared/core/env.ts' && banned.test(textOf(file))),
      [],
    )
  })

  it('has no skipped, exclusive or empty test, no any, and no switched-off check', () => {
    const marks = new RegExp(
      ['\\b(it|test|describe)\\.(skip|only|todo)\\b', '\\bas any\\b', ': any\\b', '@ts-(ignore|nocheck|expect-error)', 'biome-ignore'].join(
        '|',
      ),
    )
    assert.deepEqual(
      all.filter((file) => !file.endsWith('tidy.test.ts') && marks.test(textOf(file))),
      [],
    )
  })

  it('takes the hooks of a suite that may be skipped from the suite, so that they are skipped with it', () => {
    const wrong = filesBelow('test').filter((file) =>
      [...textOf(file).matchAll(/^( *)suite\(.*\(\{ ([\w, :]+) \}\) => \{$([\s\S]*?)^\1\}\)/gm)].some(([, , kit = '', body = '']) =>
        [...body.matchAll(/\b(before|after|beforeEach|afterEach)\(/g)].some(([, hook = '']) => !kit.split(', ').includes(hook)),
      ),
    )
    assert.deepEqual(wrong, [])
  })

  it('registers every rotator and store that has an entry file', () => {
    const entries = (room: string) =>
      filesBelow(room).filter((file) => siblingOf(file) === file.replace(/\.ts$/, '') && !file.endsWith('/registry.ts'))
    for (const [room, text] of [
      ['shared/rotators', textOf('shared/rotators/registry.ts')],
      ['shared/stores', textOf('shared/stores/registry.ts')],
      ['shared/notifiers', textOf('shared/notifiers/registry.ts')],
    ] as const) {
      const missing = entries(room).filter(
        (file) =>
          !text.includes(`'./${file.slice(room.length + 1).replace(/\.ts$/, '.js')}'`) &&
          !text.includes(`'./${file.slice(room.length + 1).replace(/\.ts$/, '')}/`),
      )
      assert.deepEqual(missing, [])
    }
    assert.ok(rotatorKinds.includes('postgres') && Object.keys(stores).includes('file'))
  })

  it('explains every code in the runbook, and no other; every code is used and has a next step', () => {
    const entries = [...textOf('docs/runbook.md').matchAll(/^## (\w+)$/gm)].map((match) => match[1] ?? '')
    assert.deepEqual([...entries].sort(), Object.keys(codes).sort())
    assert.deepEqual(Object.keys(remedies).sort(), Object.keys(codes).sort())
    const used = shipped
      .filter((file) => !/ports\/errors|remedies/.test(file))
      .map(textOf)
      .join('\n')
    assert.deepEqual(
      Object.keys(codes).filter((code) => !used.includes(`'${code}'`)),
      [],
    )
  })

  it('explains every policy key and no other: what all share in docs/policy.md, what a rotator adds there or on its own page', async () => {
    const [shared = '', ...rest] = textOf('docs/policy.md').split(/^(?=Keys of `|## )/m)
    const tableOf = (kind: string): string => rest.find((text) => text.startsWith(`Keys of \`${kind}\``)) ?? ''
    /** What stands in the first column. */
    const explained = (table: string): readonly string[] =>
      [...table.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '))
    const compare = (kind: string, keys: readonly PolicyKey[], table: string, page: string): readonly string[] => [
      ...keys.filter(({ name }) => ![table, page].some((text) => text.includes(`\`${name}\``))).map(({ name }) => `${kind} has ${name}`),
      ...explained(table).flatMap((name) => (keys.some((key) => key.name === name) ? [] : `${kind} has no ${name}`)),
    ]
    const own = await Promise.all(
      offeredKinds.map(async (kind) => {
        const { policy } = (await loadRotator(kind)).about
        return compare(kind, policy, tableOf(kind), textOf(`docs/${rotators[kind].page}.md`))
      }),
    )
    assert.deepEqual([...compare('every secret', commonKeys, shared, ''), ...own.flat()], [])
    assert.ok(explained(shared).length > 10 && explained(tableOf('postgres')).length > 2)
  })

  it('explains every package, and says what changed', () => {
    const manifest = JSON.parse(textOf('package.json')) as { dependencies: Record<string, string>; devDependencies: Record<string, string> }
    const packages = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    assert.deepEqual(
      packages.filter(([name]) => !textOf('docs/dependencies.md').includes(`\`${name}\``)),
      [],
    )
    assert.deepEqual(
      packages.filter(([, version]) => !/^\d|^npm:.*@\d/.test(version)),
      [],
      'versions are pinned',
    )
    assert.ok(filesBelow('changelog/unreleased', '.md').length > 0)
  })

  it('names no registry host in its lockfiles', () => {
    for (const file of ['package-lock.json', 'test/servers/package-lock.json'])
      assert.ok(!/"resolved"|https?:\/\/[^"]*registry/.test(textOf(file)))
  })
})
