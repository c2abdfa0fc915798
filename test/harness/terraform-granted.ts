import assert from 'node:assert/strict'
import type { Held } from './gcp-granted.js'
import type { Names } from './gcp-secret-manager/names.js'

interface Block {
  readonly kind: string
  readonly type: string
  readonly name: string
  readonly body: string
}
const blocksIn = (text: string): readonly Block[] =>
  [...text.matchAll(/^(resource|data|variable) (?:"(\w+)" )?"([\w-]+)" \{\n([\s\S]*?)^\}$/gm)].map(
    ([, kind = '', type = '', name = '', body = '']) => ({
      kind,
      type,
      name,
      body,
    }),
  )

/** What everybody has once these resources are there, as a reader of the provider's documentation sees them: it is no interpreter of Terraform. */
export function heldByTerraform(text: string, { projects }: Names, variables: Readonly<Record<string, string>>): readonly Held[] {
  const blocks = blocksIn(text)
  const find = (kind: string, type: string, name: string): Block =>
    blocks.find((one) => one.kind === kind && one.type === type && one.name === name) ?? assert.fail(`there is no ${kind} ${type} ${name}`)
  const idOf = (number: string): string => [...projects].find(([, one]) => one === number)?.[0] ?? assert.fail(`no project ${number}`)
  const numberOf = (id: string): string => projects.get(id) ?? assert.fail(`no project has the id ${id}`)

  /** The value of an attribute, with what it refers to. */
  const attributeOf = ({ body }: Block, key: string): string | undefined => {
    const raw = new RegExp(`^ +${key} += (.*)$`, 'm').exec(body)?.[1]
    return raw === undefined ? undefined : resolved(raw)
  }
  const needed = (block: Block, key: string): string => attributeOf(block, key) ?? assert.fail(`${block.name} has no ${key}`)
  const resolved = (raw: string): string => {
    if (raw.startsWith('"')) {
      const inserted = raw.slice(1, -1).replace(/(?<!\$)\$\{([^}]+)\}/g, (_, inner: string) => resolved(inner))
      return inserted.replaceAll('$${', '${').replaceAll('%%{', '%{').replace(/\\(.)/g, '$1')
    }
    const [, variable, role, project] =
      /^(?:var\.([\w-]+)|google_project_iam_custom_role\.([\w-]+)\.id|data\.google_project\.([\w-]+)\.number)$/.exec(raw) ?? []
    if (project !== undefined) return numberOf(needed(find('data', 'google_project', project), 'project_id'))
    if (role !== undefined) return roleName(find('resource', 'google_project_iam_custom_role', role))
    assert.ok(variable !== undefined, raw)
    const { body } = find('variable', '', variable)
    const number = /The id of project (\d+)/.exec(body)?.[1]
    return number === undefined ? (variables[variable.replace(/^keyturn_/, '').toUpperCase()] ?? assert.fail(variable)) : idOf(number)
  }
  const roleName = (block: Block): string => `projects/${needed(block, 'project')}/roles/${needed(block, 'role_id')}`

  const roles = new Map([['roles/secretmanager.secretAccessor', ['secretmanager.versions.access']]])
  for (const block of blocks.filter(({ type }) => type === 'google_project_iam_custom_role'))
    roles.set(
      roleName(block),
      [...block.body.matchAll(/^ {4}"([\w.]+)",$/gm)].map(([, permission = '']) => permission),
    )

  return blocks
    .filter(({ kind, type }) => kind === 'resource' && type !== 'google_project_iam_custom_role')
    .map((block) => {
      const project = needed(block, 'project')
      const parent = `projects/${projects.get(project) ?? project}`
      const location = block.type.includes('_regional_') ? `/locations/${needed(block, 'location')}` : ''
      const isProject = block.type === 'google_project_iam_member'
      assert.match(block.type, /^google_(project|secret_manager_(regional_)?secret)_iam_member$/)
      return {
        member: needed(block, 'member'),
        on: isProject ? parent : `${parent}${location}/secrets/${needed(block, 'secret_id')}`,
        condition: attributeOf(block, 'expression'),
        permissions: roles.get(needed(block, 'role')) ?? assert.fail(`${needed(block, 'role')} is not there`),
      }
    })
}
