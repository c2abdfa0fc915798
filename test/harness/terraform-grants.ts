import assert from 'node:assert/strict'
import { type Module, type Resource, textOf } from './terraform-module.js'

/** What a member has on one resource; both as the module writes them. */
export interface Granted {
  /** The label of an account of the module, or what else the module names. */
  readonly member: string
  readonly kind: string
  readonly permissions: readonly string[]
  /** For secrets whose destruction is delayed, where that differs. */
  readonly later?: readonly string[]
  readonly address: string
}

/** Predefined roles that the module may use. Of the first, what means something on a secret. */
const predefined: Readonly<Record<string, readonly string[]>> = {
  'roles/secretmanager.secretAccessor': ['secretmanager.versions.access'],
  'roles/run.invoker': ['run.invoker'],
  'roles/pubsub.publisher': ['pubsub.publisher'],
  'roles/pubsub.subscriber': ['pubsub.subscriber'],
}

/** Every grant of a module but those of who builds. Fails for one that it does not understand, so that none is overlooked. */
export function grantsOf(module: Module): readonly Granted[] {
  const roles: ReadonlyMap<string, readonly string[]> = new Map(
    module.resources
      .filter(({ type }) => type === 'google_project_iam_custom_role')
      .map(({ name, body }) => [`google_project_iam_custom_role.${name}.id`, permissionsOf(body.permissions)] as const),
  )
  const permissionsIn = (expression: string): readonly string[] => {
    const of = /^\$\{(google_project_iam_custom_role\.\w+)(?:\[each\.value\])?(\.id)\}$/.exec(expression)?.slice(1).join('')
    return of === undefined ? (predefined[expression] ?? assert.fail(expression)) : (roles.get(of) ?? assert.fail(of))
  }
  const used = module.resources.filter(({ type, name }) => type.endsWith('_iam_member') && name !== 'builder')
  return used.map((one) => {
    const role = textOf(one.body, 'role')
    const [, whenLater, otherwise] = /^\$\{each\.value\.destroys_later \? (\S+) : (\S+)\}$/.exec(role) ?? []
    return {
      member: memberOf(textOf(one.body, 'member')),
      kind: kindOf(one),
      permissions: permissionsIn(otherwise === undefined ? role : `\${${otherwise}}`),
      ...(whenLater === undefined ? {} : { later: permissionsIn(`\${${whenLater}}`) }),
      address: `${one.type}.${one.name}`,
    }
  })
}

const permissionsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : assert.fail('permissions are not texts')

const memberOf = (text: string): string => /^\$\{google_service_account\.(\w+)(?:\[0\])?\.member\}$/.exec(text)?.[1] ?? text

const secretTypes = ['google_secret_manager_secret_iam_member', 'google_secret_manager_regional_secret_iam_member']
/** A kind of resource, by what the binding names. */
function kindOf({ type, name, body }: Resource): string {
  if (secretTypes.includes(type)) return secretKind(type, body)
  if (type === 'google_project_iam_member' && body.for_each === '${toset(var.cloud_sql_projects)}')
    return named(body, 'project', '${each.value}', 'project of Cloud SQL')
  if (type === 'google_project_iam_member') return 'project'
  if (type === 'google_cloud_tasks_queue_iam_member') return named(body, 'name', '${google_cloud_tasks_queue.work.name}', 'queue')
  if (type === 'google_service_account_iam_member')
    return named(body, 'service_account_id', '${google_service_account.tasks.name}', 'task account')
  if (type === 'google_cloud_run_v2_service_iam_member') {
    const service = /^\$\{google_cloudfunctions2_function\.(\w+)(?:\[0\])?\.name\}$/.exec(textOf(body, 'name'))?.[1] ?? assert.fail(name)
    return `service of ${service}`
  }
  if (type === 'google_pubsub_topic_iam_member' && body.for_each === '${toset(var.consumer_topics)}') {
    assert.equal(body.project, '${split("/", each.value)[1]}')
    return named(body, 'topic', '${split("/", each.value)[3]}', 'consumer topics')
  }
  if (type === 'google_pubsub_topic_iam_member')
    return /^\$\{google_pubsub_topic\.(\w+)\.name\}$/.exec(textOf(body, 'topic'))?.[1]?.replace('_', ' ') ?? assert.fail(name)
  if (type === 'google_pubsub_subscription_iam_member') return `subscription ${textOf(body, 'subscription')}`
  return assert.fail(`${type} is not understood`)
}

function secretKind(type: string, body: Resource['body']): string {
  const secret = textOf(body, 'secret_id')
  const wanted = type.includes('_regional_') ? '${local.regional}' : '${local.global}'
  if (secret === '${each.key}' || secret === '${each.key}--pending') {
    assert.equal(body.for_each, wanted)
    if (type.includes('_regional_')) assert.equal(body.location, '${each.value.location}')
    return secret === '${each.key}' ? 'secret' : 'place'
  }
  const of = /^\$\{split\("\/", ([\w.]+)\)\[3\]\}$/.exec(secret)?.[1] ?? assert.fail(secret)
  assert.equal(body.project, `\${split("/", ${of})[1]}`)
  if (of === 'each.value') assert.equal(body.for_each, '${local.administrators}')
  const kinds: Readonly<Record<string, string>> = {
    'each.value': 'administrator',
    'var.configuration': 'configuration',
    'var.public_set': 'public set',
  }
  return kinds[of] ?? assert.fail(of)
}

function named(body: Resource['body'], attribute: string, wanted: string, kind: string): string {
  assert.equal(body[attribute], wanted)
  return kind
}
