import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { before, it } from 'node:test'
import { whyMissing } from './programs.js'
import { addressOf, blockOf, type Module, problemsOf, type Resource, readModule, referencesIn, type Schema } from './terraform-module.js'

/** A module of ours, and what it is compared with. */
export interface ModuleCase {
  readonly folder: string
  readonly example: string
  /** The file with the attributes and blocks of the provider. */
  readonly schemas: string
  readonly provider: { readonly name: string; readonly source: string; readonly version: string }
  /** What the provider gives a resource by itself, of what the module reads. */
  readonly computed: Readonly<Record<string, readonly string[]>>
  /** The page that has a row for each variable. */
  readonly page: string
}
/** What the tests of one module ask, once they run. */
export interface Written {
  readonly module: () => Module
  readonly example: () => Module
  /** All files, as they are written. */
  readonly texts: () => string
}

/** The tests that every module of ours passes. To be called in a `describe`. */
export function moduleTests(of: ModuleCase): Written {
  let module: Module
  let example: Module
  before(async () => {
    module = await readModule(of.folder)
    example = await readModule(of.example)
  })
  const texts = (): string =>
    readdirSync(of.folder)
      .flatMap((file) => (file.endsWith('.tf') ? [readFileSync(`${of.folder}/${file}`, 'utf8')] : []))
      .join('\n')
  const written = { module: () => module, example: () => example, texts }
  textTests(of, written)
  schemaTests(of, written)
  referenceTests(written)
  return written
}

function textTests({ folder, example, provider, page }: ModuleCase, { module }: Written): void {
  it('is as terraform fmt writes it', { skip: whyMissing('terraform') }, () => {
    const { status, stdout, stderr } = spawnSync('terraform', ['fmt', '-check', '-diff', '-recursive', '-no-color', folder], {
      encoding: 'utf8',
    })
    assert.equal(status, 0, `${stdout}${stderr}`)
  })

  it('explains each variable and output', () => {
    for (const [name, { description, type }] of module().variables) assert.ok(description && type, name)
    for (const [name, { description }] of module().outputs) assert.ok(description, name)
  })

  it('has small files, and names the provider that its names were checked against', () => {
    const files = readdirSync(folder).filter((one) => one.endsWith('.tf'))
    for (const file of [...files.map((one) => `${folder}/${one}`), `${example}/main.tf`])
      assert.ok(readFileSync(file, 'utf8').split('\n').length <= 250, file)
    const { name, source, version } = provider
    assert.deepEqual(blockOf(module().settings, 'required_providers')[name], { source, version })
  })

  it(`says in ${page} what each variable is`, () => {
    const shown = [...readFileSync(page, 'utf8').matchAll(/^\| `(\w+)` \| (.*?) \| (.*) \|$/gm)].map(([, name, value, says]) => [
      name,
      value,
      says,
    ])
    const rows = [...module().variables].map(([name, body]) => [
      name,
      'default' in body ? `\`${defaultOf(body.default)}\`` : 'required',
      body.description,
    ])
    assert.deepEqual(
      shown.filter(([name]) => module().variables.has(name ?? '')),
      rows,
    )
  })
}
const defaultOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

function schemaTests({ schemas: file, computed }: ModuleCase, { module, example, texts }: Written): void {
  const schemas = (JSON.parse(readFileSync(file, 'utf8')) as { readonly resources: Readonly<Record<string, Schema>> }).resources

  it('has only attributes and blocks that the provider has, and all that it requires', () => {
    const all = [...module().resources, ...example().resources]
    const known = ({ type }: Resource): Schema => schemas[type] ?? assert.fail(`no schema of ${type}`)
    assert.deepEqual(
      all.flatMap((one) => problemsOf(one.body, known(one), addressOf(one))),
      [],
    )
    assert.deepEqual([...new Set(all.map(({ type }) => type))].sort(), Object.keys(schemas).sort())
  })

  it('would find what the provider does not have', () => {
    const schema: Schema = { name: { required: true }, block: { block: { inner: { required: true } } } }
    assert.deepEqual(problemsOf({ nmae: 'x', block: [{}], for_each: '' }, schema, 'r'), [
      'r lacks name',
      'r has no nmae',
      'r.block lacks inner',
    ])
    assert.deepEqual(problemsOf({ name: [{}], block: 'x' }, schema, 'r'), ['r.name is an attribute', 'r.block is a block'])
    const dynamic = { block: [{ for_each: '', content: [{ iner: 1 }] }], other: [{ content: [{}] }] }
    assert.deepEqual(problemsOf({ name: 'x', dynamic }, schema, 'r'), ['r.block lacks inner', 'r.block has no iner', 'r has no other'])
  })

  it('reads only attributes that there are', () => {
    const reads = [...texts().matchAll(/(?<!data\.)\b((?:google|azurerm)_\w+)\.\w+(?:\[[^\]]+\])?\.(\w+\[0\]\.\w+|\w+)/g)]
    assert.ok(reads.length > 100)
    for (const [read, type = '', attribute = ''] of reads) {
      const isKnown = schemas[type]?.[attribute] !== undefined || computed[type]?.includes(attribute) === true
      assert.ok(isKnown, read)
    }
  })
}

function referenceTests({ module, example }: Written): void {
  it('refers to nothing that is not there, and has nothing that nobody refers to', () => {
    for (const one of [module(), example()]) {
      const there = addressesOf(one)
      const used = referencesIn([one.resources, one.data, Object.fromEntries(one.locals), Object.fromEntries(one.outputs)])
      assert.deepEqual(
        used.filter((reference) => !there.includes(reference)),
        [],
      )
      if (one === example()) continue
      const idle = there.filter((address) => /^(var|local|data)\./.test(address) && !used.includes(address))
      assert.deepEqual(idle, [])
    }
  })

  it('goes in no circle', () => {
    const needs = new Map<string, readonly string[]>([
      ...module().resources.map((one) => [addressOf(one), referencesIn(one.body)] as const),
      ...[...module().locals].map(([name, value]) => [`local.${name}`, referencesIn(value)] as const),
    ])
    const visit = (address: string, path: readonly string[]): void => {
      assert.ok(!path.includes(address), [...path, address].join(' needs '))
      for (const next of needs.get(address) ?? []) if (needs.has(next)) visit(next, [...path, address])
    }
    for (const address of needs.keys()) visit(address, [])
  })

  it('calls its own module in the example with the variables that it has, and all that it requires', () => {
    for (const [name, body] of example().calls) {
      const given = Object.keys(body).filter((one) => one !== 'source')
      assert.deepEqual(
        given.filter((one) => !module().variables.has(one)),
        [],
        name,
      )
      const required = [...module().variables].filter(([, variable]) => !('default' in variable)).map(([one]) => one)
      assert.deepEqual(
        required.filter((one) => !given.includes(one)),
        [],
        name,
      )
    }
  })
}

const addressesOf = (of: Module): readonly string[] => [
  ...of.resources.map(addressOf),
  ...of.data.map((one) => `data.${addressOf(one)}`),
  ...[...of.variables.keys()].map((name) => `var.${name}`),
  ...[...of.locals.keys()].map((name) => `local.${name}`),
]
