import { type Attribute, aligned, blockOf, text } from '../../../core/hcl.js'
import type { Principal } from '../../../core/ports/permissions.js'
import { type Binding, conditionTitle, type Role } from './grants.js'
import { customRoles, expressionOf, isCustom, isNumber, projectsOf } from './names.js'

/** Resources for Terraform's provider google, as `terraform fmt` writes them. */
export function terraformLines(bindings: readonly Binding[], member: string | undefined, notes: readonly string[]): readonly string[] {
  const projects = projectsOf(bindings)
  return [
    ...[...notes, ...twiceNotes].map((note) => `# ${note}`),
    '',
    ...(member === undefined ? [...new Set(bindings.map(({ to }) => to))].flatMap(memberVariable) : []),
    ...projects.flatMap((project) => projectBlock(bindings, project)),
    ...projects.flatMap((project) => roleBlocks(bindings, project)),
    ...bindings.flatMap((binding) => bindingBlock(binding, member)),
  ]
}

const twiceNotes = [
  'For a second secret in the same module, omit what is there already, which has the same name: the variables, data google_project, the custom roles,',
  'members of the project without a condition, and what is granted on the secrets of --admin and KEYTURN_CONFIG.',
]

/** The last part of a resource's address. */
const label = (...parts: readonly string[]): string => ['keyturn', ...parts].join('_').replace(/[^\w-]/g, '_')

const memberName = (to: Principal): string => label(to)
const memberVariable = (to: Principal): readonly string[] =>
  blockOf(
    `variable "${memberName(to)}"`,
    aligned([
      ['type', 'string'],
      ['description', text(`The ${to}, such as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com`)],
    ]),
  )

/** What nobody wrote of a project: the number for conditions is looked up; an id for a number is a variable, because not every version looks that up. */
function projectBlock(bindings: readonly Binding[], project: string): readonly string[] {
  const name = label('project', project)
  if (isNumber(project)) {
    const attributes: readonly Attribute[] = [
      ['type', 'string'],
      ['description', text(`The id of project ${project}`)],
    ]
    return blockOf(`variable "${name}"`, aligned(attributes))
  }
  const isNeeded = bindings.some((one) => one.project === project && one.only !== undefined)
  return isNeeded ? blockOf(`data "google_project" "${name}"`, aligned([['project_id', text(project)]])) : []
}
const idOf = (project: string): string => (isNumber(project) ? `var.${label('project', project)}` : text(project))
const numberOf = (project: string): string => (isNumber(project) ? project : `\${data.google_project.${label('project', project)}.number}`)

const roleLabel = (project: string, { id }: Role): string => label(project, id)
function roleBlocks(bindings: readonly Binding[], project: string): readonly string[] {
  const made = customRoles(bindings, project)
  if (made.length === 0) return []
  const blocks = made.flatMap((role) =>
    blockOf(`resource "google_project_iam_custom_role" "${roleLabel(project, role)}"`, [
      ...aligned([
        ['project', idOf(project)],
        ['role_id', text(role.id)],
        ['title', text(role.title)],
      ]),
      '  permissions = [',
      ...role.permissions.map((one) => `    ${text(one)},`),
      '  ]',
    ]),
  )
  return [`# The custom roles of project ${project}. They are the same for every secret: a module has them once.`, ...blocks]
}

function bindingBlock(binding: Binding, member: string | undefined): readonly string[] {
  const { to, role, on, only, project, why } = binding
  const type =
    on === undefined
      ? 'google_project_iam_member'
      : `google_secret_manager_${on.location === undefined ? '' : 'regional_'}secret_iam_member`
  const about = on ?? only
  const name = label(
    to,
    ...(about === undefined ? [project] : [about.project, ...(about.location ? [about.location] : []), about.secret]),
    shortOf(role),
  )
  const attributes: readonly Attribute[] = [
    ['project', idOf(project)],
    ...(on?.location === undefined ? [] : [['location', text(on.location)] as const]),
    ...(on === undefined ? [] : [['secret_id', text(on.secret)] as const]),
    ['role', isCustom(role) ? `google_project_iam_custom_role.${roleLabel(project, role)}.id` : text(role.id)],
    ['member', member === undefined ? `var.${memberName(to)}` : text(member)],
  ]
  return [`# ${to}: ${why}`, ...blockOf(`resource "${type}" "${name}"`, [...aligned(attributes), ...conditionLines(only)])]
}
const shortOf = ({ id }: Role): string => id.replace(/^.*[./]/, '')

function conditionLines(only: Binding['only']): readonly string[] {
  if (only === undefined) return []
  const attributes: readonly Attribute[] = [
    ['title', text(conditionTitle)],
    ['expression', `"${expressionOf(only, numberOf(only.project))}"`],
  ]
  return ['  condition {', ...aligned(attributes, '    '), '  }']
}
