import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { codes } from '../shared/core/ports/errors.js'
import { remedies } from '../shared/core/remedies.js'
import { rotatorKinds } from '../shared/rotators/registry.js'
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
  ['shared/lifecycle/', ['shared/core/'], 'the lifecycle knows interfaces, never an implementation'],
  ['shared/aws/', ['shared/core/'], 'what every client of AWS shares'],
  ['shared/stores/', ['shared/core/', 'shared/aws/'], 'a store is told what to keep; it decides nothing'],
  ['shared/rotators/', ['shared/core/', 'shared/aws/'], 'a rotator gets values passed in; reading the store is a lifecycle step'],
  ['shared/kubernetes/', ['shared/core/'], 'what every client of a cluster shares'],
  [
    'shared/notifiers/',
    ['shared/core/', 'shared/kubernetes/'],
    'a notifier tells one target; who is told, and what follows, is the lifecycle',
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
  ['cli/', ['shared/core/', 'shared/lifecycle/', 'shared/app/', 'package.json'], 'the command line calls the app'],
]

function importsOf(file: string): readonly string[] {
  const found = [...textOf(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => match[1] ?? '')
  return found.map((path) => normalize(join(dirname(file), path)).replace(/\.js$/, '.ts'))
}

/** The entry file or folder directly below a room of siblings: `shared/stores/file` for both file.ts and file/disk.ts. */
const siblingOf = (file: string): string => file.split('/').slice(0, 3).join('/').replace(/\.ts$/, '')

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

  it('keeps stores from one another, and rotators from one another', () => {
    const wrong = shipped
      .filter((file) => /^shared\/(stores|rotators|notifiers)\//.test(file) && !file.endsWith('/registry.ts'))
      .flatMap((file) =>
        importsOf(file)
          .filter((to) => /^shared\/(stores|rotators|notifiers)\//.test(to) && siblingOf(to) !== siblingOf(file))
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
    const files = [
      'config-form',
      'config-schema',
      'configuration',
      'function',
      'function-config',
      'function-log',
      'jwks',
      'platform',
      'places',
      'receive',
    ]
    const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '')
    const cloud =
      /(?<![A-Za-z])(aws|arn|rds|gcp|azure)(?![a-z])|(Aws|Arn|Rds|Gcp|Azure)(?![a-z])|(?<![A-Za-z])(AWS|ARN|RDS|GCP|AZURE)(?![A-Za-z])/
    assert.deepEqual(
      files.map((name) => `shared/app/${name}.ts`).filter((file) => cloud.test(withoutComments(textOf(file)))),
      [],
    )
  })

  it('keeps files small', () => {
    const limitOf = (file: string): number =>
      /^test\//.test(file) ? 400 : /^functions\//.test(file) ? 60 : /^shared\/rotators\/[^/]+$/.test(file) ? 150 : 250
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

  it('explains every policy key, every package, and says what changed', () => {
    const policy = textOf('docs/policy.md')
    const keys = [
      ...textOf('shared/core/policy/keys.ts').matchAll(/name: '([a-z]+)'/g),
      ...textOf('shared/rotators/postgres/policy.ts').matchAll(/name: '([a-z]+)'/g),
    ].map((match) => match[1])
    assert.ok(keys.length > 10)
    assert.deepEqual(
      keys.filter((key) => !policy.includes(`\`${key}\``)),
      [],
    )
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
