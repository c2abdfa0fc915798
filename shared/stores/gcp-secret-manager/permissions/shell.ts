import type { Principal } from '../../../core/ports/permissions.js'
import { commandOf, quoted } from '../../../core/shell-words.js'
import { gcloudWhere } from '../names.js'
import { type Binding, conditionTitle } from './grants.js'
import { customRoles, expressionOf, isCustom, isNumber, projectsOf } from './names.js'

/** Commands of gcloud. A variable that is not set ends its command with an error. */
export function shellLines(bindings: readonly Binding[], member: string | undefined, notes: readonly string[]): readonly string[] {
  const projects = projectsOf(bindings)
  const known = new Map(projects.map((project, index) => [project, wordsFor(project, index === 0 ? '' : `_${index + 1}`)]))
  const wordsOf = (project: string): Project => known.get(project) ?? wordsFor(project, '')
  return [
    ...notes.map((note) => `# ${note}`),
    '',
    ...(member === undefined ? memberNotes(bindings) : []),
    ...projects.flatMap((project) => lookedUp(bindings, project, wordsOf(project))),
    ...projects.flatMap((project) => roleCommands(bindings, project, wordsOf(project))),
    ...bindings.flatMap((binding) => bindingCommand(binding, member, wordsOf(binding.project))),
  ]
}

/** How the commands write a project. It has no character that a shell could read. */
interface Project {
  readonly id: string
  readonly number: string
  /** The command that asks for what nobody wrote. */
  readonly ask: readonly string[]
}
function wordsFor(project: string, suffix: string): Project {
  const [idName, numberName] = [`project_id${suffix}`, `project_number${suffix}`]
  const ask = (name: string, what: string): readonly string[] => [
    `${name}="$(gcloud projects describe ${project} --format='value(${what})')"`,
  ]
  return isNumber(project)
    ? { id: `\${${idName}:?}`, number: project, ask: ask(idName, 'projectId') }
    : { id: project, number: `\${${numberName}:?}`, ask: ask(numberName, 'projectNumber') }
}

const variableOf = (to: Principal): string => to.toUpperCase()
const principalsOf = (bindings: readonly Binding[]): readonly Principal[] => [...new Set(bindings.map(({ to }) => to))]
const memberNotes = (bindings: readonly Binding[]): readonly string[] => [
  '# Set first who each principal is, for example serviceAccount:NAME@PROJECT.iam.gserviceaccount.com or user:NAME@DOMAIN:',
  ...principalsOf(bindings).map((to) => `#   ${variableOf(to)}=...`),
  '',
]

function lookedUp(bindings: readonly Binding[], project: string, { ask }: Project): readonly string[] {
  const here = bindings.filter((one) => one.project === project)
  const isNeeded = isNumber(project) || here.some(({ only }) => only !== undefined)
  const why = isNumber(project) ? 'The name of a custom role has the id of its project.' : 'A condition has the number of the project.'
  return isNeeded ? [`# ${why}`, ...ask, ''] : []
}

function roleCommands(bindings: readonly Binding[], project: string, { id }: Project): readonly string[] {
  const made = customRoles(bindings, project)
  if (made.length === 0) return []
  return [
    `# The custom roles of project ${project}. They are the same for every secret: if one is there already, omit its command, or write update instead of create.`,
    ...made.flatMap((role) =>
      commandOf(`gcloud iam roles create ${role.id}`, [
        `--project=${doubled(id)}`,
        `--title=${quoted(role.title)}`,
        '--stage=GA',
        `--permissions=${role.permissions.join(',')}`,
      ]),
    ),
    '',
  ]
}

/** In double quotes where it has a variable. */
const doubled = (text: string): string => (text.includes('$') ? `"${text}"` : text)

function bindingCommand(binding: Binding, member: string | undefined, project: Project): readonly string[] {
  const { to, role, on, only, why } = binding
  const who = member === undefined ? `"\${${variableOf(to)}:?}"` : quoted(member)
  const roleName = isCustom(role) ? `projects/${project.id}/roles/${role.id}` : role.id
  const words = [`--member=${who}`, `--role=${doubled(roleName)}`, `--condition=${conditionWord(only, project)}`]
  const command =
    on === undefined
      ? commandOf(`gcloud projects add-iam-policy-binding ${doubled(project.id)}`, words)
      : commandOf(`gcloud secrets add-iam-policy-binding ${on.secret}`, [...gcloudWhere({ ...on, project: doubled(project.id) }), ...words])
  return [`# ${to}: ${why}`, ...command, '']
}

/** Where a policy has conditions, the platform's program asks about one unless it is told that there is none. */
function conditionWord(only: Binding['only'], { number }: Project): string {
  if (only === undefined) return 'None'
  return `"expression=${expressionOf(only, number)},title=${conditionTitle}"`
}
