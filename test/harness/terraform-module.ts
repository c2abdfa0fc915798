import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** Loaded past its types, which would add those of a browser to the whole project. */
const { parse }: { parse(file: string, text: string): Promise<unknown> } = createRequire(import.meta.url)('@cdktf/hcl2json')

/** What a block holds: attributes, and lists of blocks. An expression is a text of `${…}`. */
export type Body = Readonly<Record<string, unknown>>
/** One resource of a module. */
export interface Resource {
  readonly type: string
  readonly name: string
  readonly body: Body
}

/** A module of Terraform as it is written: nothing is evaluated. */
export interface Module {
  readonly resources: readonly Resource[]
  readonly data: readonly Resource[]
  readonly variables: ReadonlyMap<string, Body>
  readonly outputs: ReadonlyMap<string, Body>
  readonly locals: ReadonlyMap<string, unknown>
  readonly settings: Body
  /** The modules that it calls, by name. */
  readonly calls: ReadonlyMap<string, Body>
}

export const isBody = (value: unknown): value is Body => typeof value === 'object' && value !== null && !Array.isArray(value)
const bodyOf = (value: unknown): Body => (isBody(value) ? value : {})
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
/** The first block of a name: most may stand once. */
export const blockOf = (body: Body, name: string): Body => bodyOf(listOf(body[name])[0])
/** All blocks of a name. */
export const blocksOf = (body: Body, name: string): readonly Body[] => listOf(body[name]).map(bodyOf)
/** An attribute that is a text. */
export const textOf = (body: Body, name: string): string => {
  const value = body[name]
  return typeof value === 'string' ? value : assert.fail(`${name} is not a text: ${JSON.stringify(value)}`)
}

/** Reads all files of a folder, as Terraform does. Fails where two of them have one name. */
export async function readModule(folder: string): Promise<Module> {
  const resources: Resource[] = []
  const data: Resource[] = []
  const [variables, outputs, calls, locals] = [
    new Map<string, Body>(),
    new Map<string, Body>(),
    new Map<string, Body>(),
    new Map<string, unknown>(),
  ]
  let settings: Body = {}
  for (const file of readdirSync(folder).filter((one) => one.endsWith('.tf'))) {
    const parsed = bodyOf(await parse(file, readFileSync(join(folder, file), 'utf8')))
    resources.push(...typedIn(parsed.resource))
    data.push(...typedIn(parsed.data))
    for (const [name, blocks] of Object.entries(bodyOf(parsed.variable))) once(variables, name, bodyOf(listOf(blocks)[0]))
    for (const [name, blocks] of Object.entries(bodyOf(parsed.output))) once(outputs, name, bodyOf(listOf(blocks)[0]))
    for (const [name, blocks] of Object.entries(bodyOf(parsed.module))) once(calls, name, bodyOf(listOf(blocks)[0]))
    for (const block of listOf(parsed.locals)) for (const [name, value] of Object.entries(bodyOf(block))) once(locals, name, value)
    settings = { ...settings, ...blockOf(parsed, 'terraform') }
  }
  const heads = [...resources, ...data].map(addressOf)
  assert.deepEqual([...new Set(heads)], heads)
  return { resources, data, variables, outputs, locals, settings, calls }
}
function typedIn(kinds: unknown): readonly Resource[] {
  return Object.entries(bodyOf(kinds)).flatMap(([type, named]) =>
    Object.entries(bodyOf(named)).flatMap(([name, blocks]) => listOf(blocks).map((body) => ({ type, name, body: bodyOf(body) }))),
  )
}
function once<T>(map: Map<string, T>, name: string, value: T): void {
  assert.ok(!map.has(name), `${name} is there twice`)
  map.set(name, value)
}

export const addressOf = ({ type, name }: Resource): string => `${type}.${name}`

/** Everything that is written in a value, as one text: expressions and keys. */
export const writtenIn = (value: unknown): string => JSON.stringify(value) ?? ''

/** What a value refers to: `var.x`, `local.x`, `data.type.name` and `type.name` of a resource. */
export function referencesIn(value: unknown): readonly string[] {
  const expressions = [...writtenIn(value).matchAll(/\$\{.*\}/g)].map(([one]) => one).join(' ')
  const found = expressions.matchAll(/(?<![\w.])(?:(?:var|local)\.\w+|data\.\w+\.\w+|(?:google|azurerm)_\w+\.\w+)/g)
  return [...new Set([...found].map(([one]) => one))]
}

/** The description of one attribute or block. */
interface Known {
  readonly required?: boolean
  readonly block?: Schema
}
/** Attributes and blocks by their names. */
export type Schema = Readonly<Record<string, Known>>

const metaArguments = ['count', 'for_each', 'depends_on', 'provider', 'lifecycle', 'dynamic']
/** A block with the blocks that Terraform would make in it, once each. */
const withDynamic = ({ dynamic, ...body }: Body): Body => {
  const made = Object.entries(bodyOf(dynamic)).map(([name, blocks]) => [name, listOf(blocks).map((one) => blockOf(bodyOf(one), 'content'))])
  return { ...body, ...Object.fromEntries(made) }
}

/** What is not in the schema, what has to be and is not, and what is a block in the one and an attribute in the other. */
export function problemsOf(given: Body, schema: Schema, at: string): readonly string[] {
  const body = withDynamic(given)
  const names = Object.keys(body).filter((name) => !metaArguments.includes(name))
  const missing = Object.entries(schema).flatMap(([name, { required }]) => (required && !(name in body) ? [`${at} lacks ${name}`] : []))
  const wrong = names.flatMap((name) => {
    const known = schema[name]
    if (known === undefined) return [`${at} has no ${name}`]
    const blocks = listOf(body[name])
    if (known.block === undefined) return blocks.some(isBody) ? [`${at}.${name} is an attribute`] : []
    if (blocks.length === 0 || !blocks.every(isBody)) return [`${at}.${name} is a block`]
    return blocks.flatMap((block) => problemsOf(bodyOf(block), known.block ?? {}, `${at}.${name}`))
  })
  return [...missing, ...wrong]
}
