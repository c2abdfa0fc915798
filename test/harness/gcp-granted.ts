import assert from 'node:assert/strict'
import type { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import { callsIn } from './shell-calls.js'

/** Permissions of one member on one resource, as the platform would have them after the commands. */
export interface Held {
  readonly member: string
  /** `projects/N`, or a secret with the project's number. */
  readonly on: string
  readonly condition: string | undefined
  readonly permissions: readonly string[]
}

/** What gcloud answers of a project. */
const answersFor = (projects: ReadonlyMap<string, string>): string => `
known() { cat <<'END'
${[...projects].map(([id, number]) => `${id} ${number}\n`).join('')}END
}
case "$1 $2 $4" in
  "projects describe --format=value(projectNumber)") known | grep "^$3 " | cut -d ' ' -f 2 ;;
  "projects describe --format=value(projectId)") known | grep " $3$" | cut -d ' ' -f 1 ;;
esac
`

/** Runs the text in a real shell with a gcloud that only notes what it is called with. */
export const callsOfGcloud = (
  text: string,
  { projects }: GcpSecretManagerDouble['names'],
  variables: Readonly<Record<string, string>> = {},
): readonly (readonly string[])[] => callsIn(text, { name: 'gcloud', answers: answersFor(projects) }, { variables })

const optionOf = (words: readonly string[], name: string): string | undefined =>
  words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3)

/** The roles of the platform that may be used, as it documents them: without resourcemanager.projects.get and .list, which mean nothing on a secret. */
const predefined = new Map([['roles/secretmanager.secretAccessor', ['secretmanager.versions.access']]])

/** What everybody has after these calls. */
export function heldAfter(calls: readonly (readonly string[])[], { projects }: GcpSecretManagerDouble['names']): readonly Held[] {
  const roles = new Map<string, readonly string[]>(predefined)
  const held: Held[] = []
  const numberOf = (id: string): string => projects.get(id) ?? assert.fail(`no project has the id ${id}`)
  for (const [service, what, name = '', ...rest] of calls) {
    const option = (key: string): string => optionOf(rest, key) ?? assert.fail(`${service} ${what} without --${key}: ${rest.join(' ')}`)
    if (service === 'iam') {
      numberOf(option('project'))
      const role = `projects/${option('project')}/roles/${rest.length > 0 ? rest[0] : ''}`
      assert.ok(!roles.has(role), `${role} is made twice`)
      roles.set(role, option('permissions').split(','))
    } else if (what?.endsWith('add-iam-policy-binding')) {
      const condition = option('condition')
      const location = optionOf(rest, 'location')
      const of = (id: string): string => `projects/${numberOf(id)}${location === undefined ? '' : `/locations/${location}`}`
      const role = option('role')
      held.push({
        member: option('member'),
        on: service === 'projects' ? of(name) : `${of(option('project'))}/secrets/${name}`,
        condition: condition === 'None' ? undefined : (/^expression=(.*),title=[^,=]+$/.exec(condition)?.[1] ?? assert.fail(condition)),
        permissions: roles.get(role) ?? assert.fail(`${role} is not there`),
      })
    } else assert.equal(`${service} ${what}`, 'projects describe')
  }
  return held
}

/** Lets the double refuse what the members do not have, and notes what each of them uses. */
export class Gate {
  readonly #double: GcpSecretManagerDouble
  /** Who calls. */
  acting = ''
  held: readonly Held[] = []
  readonly used = new Set<string>()
  constructor(double: GcpSecretManagerDouble) {
    this.#double = double
  }
  /** After a reset of the double, too. */
  close(): void {
    this.#double.mayNot = (permission, resource) => !this.#may(permission, resource)
  }
  #may(permission: string, resource: string): boolean {
    const those = this.allowing(permission, resource)
    for (const one of those) this.used.add(partOf(one, permission))
    return those.length > 0
  }
  /** What lets the one who acts do this. */
  allowing(permission: string, resource: string): readonly Held[] {
    const [, project = '', rest = ''] = /^projects\/([^/]+)(.*)$/.exec(resource) ?? []
    const name = `projects/${this.#double.names.projects.get(project) ?? project}${rest}`
    return this.held.filter((one) => one.member === this.acting && one.permissions.includes(permission) && this.#counts(one, name))
  }
  /** A binding of a secret goes with it: what is not there has none. */
  #counts({ on, condition }: Held, name: string): boolean {
    if (name !== on && !name.startsWith(`${on}/`)) return false
    if (on.includes('/secrets/') && !this.#double.secrets.has(on)) return false
    return condition === undefined || holds(condition, name)
  }
}

/** One permission of a binding, to be counted. */
export const partOf = ({ member, on, condition = '' }: Held, permission: string): string => [member, on, condition, permission].join(' ')
export const partsOf = (held: readonly Held[]): readonly string[] =>
  held.flatMap((one) => one.permissions.map((permission) => partOf(one, permission)))

/** The little of the platform's expressions that is used here. */
function holds(condition: string, name: string): boolean {
  return condition.split(' || ').some((term) => {
    const [, is, starts] = /^resource\.name(?: == '([^']+)'|\.startsWith\('([^']+)'\))$/.exec(term) ?? assert.fail(term)
    return is === undefined ? name.startsWith(starts ?? assert.fail(term)) : name === is
  })
}
