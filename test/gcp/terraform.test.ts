import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { whyMissing } from '../harness/programs.js'
import {
  addressOf,
  blockOf,
  type Module,
  problemsOf,
  type Resource,
  readModule,
  referencesIn,
  type Schema,
  textOf,
} from '../harness/terraform-module.js'

const folder = 'infra/terraform/gcp'
const example = `${folder}/examples/shop`
const schemas = JSON.parse(readFileSync('test/data/terraform-google.json', 'utf8')) as {
  readonly resources: Readonly<Record<string, Schema>>
}
/** What the provider gives a resource by itself, of what the module reads. */
const computed: Readonly<Record<string, readonly string[]>> = {
  google_service_account: ['email', 'member', 'name'],
  google_cloudfunctions2_function: ['service_config[0].uri'],
}

describe('infra/terraform/gcp, as it is written', () => {
  let module: Module
  let shop: Module
  before(async () => {
    module = await readModule(folder)
    shop = await readModule(example)
  })
  const addresses = (of: Module): readonly string[] => [
    ...of.resources.map(addressOf),
    ...of.data.map((one) => `data.${addressOf(one)}`),
    ...[...of.variables.keys()].map((name) => `var.${name}`),
    ...[...of.locals.keys()].map((name) => `local.${name}`),
  ]
  const texts = (): string =>
    readdirSync(folder)
      .flatMap((file) => (file.endsWith('.tf') ? [readFileSync(`${folder}/${file}`, 'utf8')] : []))
      .join('\n')

  it('is as terraform fmt writes it', { skip: whyMissing('terraform') }, () => {
    const { status, stdout, stderr } = spawnSync('terraform', ['fmt', '-check', '-diff', '-recursive', '-no-color', folder], {
      encoding: 'utf8',
    })
    assert.equal(status, 0, `${stdout}${stderr}`)
  })

  it('has only attributes and blocks that the provider has, and all that it requires', () => {
    const all = [...module.resources, ...shop.resources]
    const known = ({ type }: Resource): Schema => schemas.resources[type] ?? assert.fail(`no schema of ${type}`)
    assert.deepEqual(
      all.flatMap((one) => problemsOf(one.body, known(one), addressOf(one))),
      [],
    )
    assert.deepEqual([...new Set(all.map(({ type }) => type))].sort(), Object.keys(schemas.resources).sort())
  })

  it('would find what the provider does not have', () => {
    const schema: Schema = { name: { required: true }, block: { block: { inner: { required: true } } } }
    assert.deepEqual(problemsOf({ nmae: 'x', block: [{}], for_each: '' }, schema, 'r'), [
      'r lacks name',
      'r has no nmae',
      'r.block lacks inner',
    ])
    assert.deepEqual(problemsOf({ name: [{}], block: 'x' }, schema, 'r'), ['r.name is an attribute', 'r.block is a block'])
  })

  it('refers to nothing that is not there, and has nothing that nobody refers to', () => {
    for (const one of [module, shop]) {
      const there = addresses(one)
      const used = referencesIn([one.resources, one.data, Object.fromEntries(one.locals), Object.fromEntries(one.outputs)])
      assert.deepEqual(
        used.filter((reference) => !there.includes(reference)),
        [],
      )
      if (one === shop) continue
      const idle = there.filter((address) => /^(var|local|data)\./.test(address) && !used.includes(address))
      assert.deepEqual(idle, [])
    }
  })

  it('reads only attributes that there are', () => {
    const reads = [...texts().matchAll(/(?<!data\.)\b(google_\w+)\.\w+(?:\[[^\]]+\])?\.(service_config\[0\]\.uri|\w+)/g)]
    assert.ok(reads.length > 100)
    for (const [read, type = '', attribute = ''] of reads) {
      const isKnown = schemas.resources[type]?.[attribute] !== undefined || computed[type]?.includes(attribute) === true
      assert.ok(isKnown, read)
    }
  })

  it('goes in no circle', () => {
    const needs = new Map<string, readonly string[]>([
      ...module.resources.map((one) => [addressOf(one), referencesIn(one.body)] as const),
      ...[...module.locals].map(([name, value]) => [`local.${name}`, referencesIn(value)] as const),
    ])
    const visit = (address: string, path: readonly string[]): void => {
      assert.ok(!path.includes(address), [...path, address].join(' needs '))
      for (const next of needs.get(address) ?? []) if (needs.has(next)) visit(next, [...path, address])
    }
    for (const address of needs.keys()) visit(address, [])
  })

  it('explains each variable and output, and says why where a grant is on the whole project', () => {
    for (const [name, { description, type }] of module.variables) assert.ok(description && type, name)
    for (const [name, { description }] of module.outputs) assert.ok(description, name)
    const onProject = texts()
      .split('\n\n')
      .filter((part) => part.includes('resource "google_project_iam_member"'))
    assert.equal(onProject.length, 5)
    for (const part of onProject) assert.match(part, /^# On the project/m)
  })

  it('names a role by the project of the functions where it is made in another one, which two deployments may name', () => {
    const roles = module.resources.filter(({ type }) => type === 'google_project_iam_custom_role')
    const elsewhere = roles.filter(({ body }) => body.project !== '${var.project_id}')
    assert.deepEqual(
      elsewhere.map(({ name }) => name),
      ['cloud_sql'],
    )
    const idIn = (project: string): string => {
      const inserted = /^\$\{var\.role_prefix\}(\w+)\$\{replace\(var\.project_id, "\/(\[\^[^\]]+\])\/", "_"\)\}$/
      const written = textOf(elsewhere[0]?.body ?? {}, 'role_id')
      const [, middle = '', others = ''] = inserted.exec(written) ?? assert.fail(written)
      return `${textOf(module.variables.get('role_prefix') ?? {}, 'default')}${middle}${project.replace(new RegExp(others, 'g'), '_')}`
    }
    const ids = ['shop-functions', 'shop-functions-two', 'example.com:shop-functions'].map(idIn)
    assert.equal(new Set(ids).size, ids.length)
    for (const id of [...ids, idIn('p'.repeat(30))]) assert.match(id, /^[A-Za-z0-9_.]{3,64}$/)
  })

  it('has small files, and names the provider that its names were checked against', () => {
    for (const file of [
      ...readdirSync(folder)
        .filter((one) => one.endsWith('.tf'))
        .map((one) => `${folder}/${one}`),
      `${example}/main.tf`,
    ])
      assert.ok(readFileSync(file, 'utf8').split('\n').length <= 250, file)
    assert.deepEqual(blockOf(module.settings, 'required_providers').google, { source: 'hashicorp/google', version: '>= 7.0, < 8.0' })
  })

  it('says in docs/gcp.md what each variable is', () => {
    const page = readFileSync('docs/gcp.md', 'utf8')
    const shown = [...page.matchAll(/^\| `(\w+)` \| (.*?) \| (.*) \|$/gm)].map(([, name, value, says]) => [name, value, says])
    const rows = [...module.variables].map(([name, body]) => [
      name,
      'default' in body ? `\`${defaultOf(body.default)}\`` : 'required',
      body.description,
    ])
    assert.deepEqual(
      shown.filter(([name]) => module.variables.has(name ?? '')),
      rows,
    )
  })

  it('leaves to Keyturn what Keyturn writes in a secret that Terraform owns', () => {
    const secret = shop.resources.find(({ type }) => type === 'google_secret_manager_secret')
    const ignored = blockOf(secret?.body ?? {}, 'lifecycle').ignore_changes
    assert.deepEqual(ignored, ['${annotations}', '${rotation}', '${version_aliases}'])
    assert.deepEqual(blockOf(secret?.body ?? {}, 'topics'), { name: '${module.keyturn.topic}' })
  })
})

const defaultOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
