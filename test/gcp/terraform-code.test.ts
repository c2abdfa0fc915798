import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { readEvent } from '../../functions/gcp/event.js'
import type { Needs } from '../../functions/gcp/needs/form.js'
import { type FunctionName, needs } from '../../functions/gcp/needs.js'
import { readTasks } from '../../functions/gcp/tasks/settings.js'
import { taskOf } from '../../functions/gcp/tasks/task.js'
import { gcpOptions } from '../../shared/stores/gcp-secret-manager/environment.js'
import { FakeEnv } from '../harness/fake-env.js'
import { type Granted, grantsOf } from '../harness/terraform-grants.js'
import {
  type Body,
  blockOf,
  blocksOf,
  type Module,
  type Resource,
  readModule,
  referencesIn,
  textOf,
  writtenIn,
} from '../harness/terraform-module.js'

const names = Object.keys(needs) as FunctionName[]
const needsOf = (name: FunctionName): Needs => needs[name]
const sorted = (texts: readonly string[]): readonly string[] => [...texts].sort()

describe('infra/terraform/gcp and the code', () => {
  let module: Module
  let granted: readonly Granted[]
  before(async () => {
    module = await readModule('infra/terraform/gcp')
    granted = grantsOf(module)
  })
  const resource = (type: string, name: string): Body =>
    (module.resources.find((one) => one.type === type && one.name === name) ?? assert.fail(`no ${type}.${name}`)).body
  const allOf = (type: string): readonly Resource[] => module.resources.filter((one) => one.type === type)
  const functionOf = (name: string): Body => resource('google_cloudfunctions2_function', name)
  const serviceOf = (name: string): Body => blockOf(functionOf(name), 'service_config')
  const indexed = (name: FunctionName): string => (name === 'jwks' ? 'jwks[0]' : name)
  /** The names of variables that an expression gives, through the locals that it names. */
  const variablesIn = (value: unknown): readonly string[] => [
    ...[...writtenIn(value).matchAll(/\b([A-Z][A-Z_]{3,})\\?"?(?: =|:)/g)].map(([, name = '']) => name),
    ...referencesIn(value).flatMap((reference) => {
      const [kind, name = ''] = reference.split('.')
      return kind === 'local' ? variablesIn(module.locals.get(name)) : []
    }),
  ]

  it('have the same functions and entry points, from the archives that are built', () => {
    assert.deepEqual(sorted(allOf('google_cloudfunctions2_function').map(({ name }) => name)), sorted(names))
    const built = readFileSync('scripts/functions.mjs', 'utf8')
    for (const name of names) {
      const build = blockOf(functionOf(name), 'build_config')
      assert.deepEqual([build.entry_point, build.runtime], [name, 'nodejs22'])
      assert.equal(blockOf(blockOf(build, 'source'), 'storage_source').object, `\${google_storage_bucket_object.archive["${name}"].name}`)
      assert.match(
        readFileSync(`functions/gcp/${name}.ts`, 'utf8'),
        new RegExp(`^(http|cloudEvent)\\('${name}', createHandler\\(\\)\\)$`, 'm'),
      )
      assert.match(built, new RegExp(`'${name}'`))
    }
    assert.equal(module.locals.get('functions'), '${concat(["rotate", "sweep", "work", "invoke"], var.public_set == null ? [] : ["jwks"])}')
  })

  it('give each function the variables without which it does not run, and no other than those that it may have', () => {
    for (const name of names) {
      const { required, optional } = needsOf(name)
      const given = variablesIn(serviceOf(name).environment_variables)
      assert.deepEqual(
        required.filter((one) => !given.includes(one)),
        [],
        name,
      )
      assert.deepEqual(
        given.filter((one) => !required.includes(one) && !optional.includes(one)),
        [],
        name,
      )
    }
  })

  it('give each function an account of its own', () => {
    for (const name of names) assert.equal(serviceOf(name).service_account_email, `\${google_service_account.${indexed(name)}.email}`)
  })

  it('let a function run as long as its caller waits, and no longer', () => {
    const limits = Object.fromEntries(names.map((name) => [name, Number(serviceOf(name).timeout_seconds)]))
    for (const name of names) assert.ok(Number(limits[name]) <= needsOf(name).secondsMax, name)
    const settings = { queue: 'q', url: 'https://x', account: 'a' }
    const task = taskOf(settings, { id: 'i', ref: 'r', action: 'start', at: 0 })
    assert.equal(task.dispatchDeadline, `${limits.work}s`)
    assert.ok(Number(limits.rotate) <= Number(resource('google_pubsub_subscription', 'notices').ack_deadline_seconds))
    assert.equal(resource('google_cloud_scheduler_job', 'sweep').attempt_deadline, `${limits.sweep}s`)
    // Where the platform does not tell its limit, the code holds its lease for this long.
    const leased = /timeoutSecondsDefault = (\d+)/.exec(readFileSync('functions/gcp/instance.ts', 'utf8'))?.[1]
    for (const name of ['rotate', 'work', 'invoke'] as const) assert.ok(Number(limits[name]) >= Number(leased), name)
  })

  for (const name of names)
    it(`grant ${name} what it needs, on each resource, and nothing else`, () => {
      const wanted = Object.entries(needsOf(name).grants).map(([kind, permissions]) => [kind, ...sorted(permissions)])
      const own = `service of ${name}`
      const mine = granted.filter(({ member }) => member === name)
      for (const type of ['google_secret_manager_secret_iam_member', 'google_secret_manager_regional_secret_iam_member']) {
        const other = type.includes('_regional_')
          ? 'google_secret_manager_secret_iam_member'
          : 'google_secret_manager_regional_secret_iam_member'
        const isWanted = ({ kind, address }: Granted): boolean => !['secret', 'place'].includes(kind) || !address.startsWith(`${other}.`)
        const has = mine.filter(isWanted).map(({ kind, permissions }) => [kind === own ? 'own service' : kind, ...sorted(permissions)])
        assert.deepEqual(sorted(has.map((one) => one.join(' '))), sorted(wanted.map((one) => one.join(' '))), type)
      }
      const { destroysLater } = needsOf(name)
      const later = mine.filter(({ kind }) => kind === 'secret').map((one) => one.later && sorted(one.later))
      assert.deepEqual(
        later,
        later.map(() => destroysLater && sorted(destroysLater)),
      )
    })

  it('let only its one caller call a function, and everybody only jwks', () => {
    const callers = granted
      .filter(({ permissions }) => permissions.includes('run.invoker'))
      .map(({ member, kind }) => `${member} → ${kind}`)
    assert.deepEqual(sorted(callers), [
      '${each.value} → service of invoke',
      'allUsers → service of jwks',
      'events → service of rotate',
      'scheduler → service of sweep',
      'tasks → service of work',
    ])
    assert.deepEqual(resource('google_cloud_run_v2_service_iam_member', 'invoke_caller').for_each, '${toset(var.invokers)}')
    assert.match(writtenIn(module.variables.get('invokers')?.validation), /allUsers.*allAuthenticatedUsers/)
    assert.equal(JSON.stringify(module.resources).split('allUsers').length, 2)
    for (const type of ['google_cloudfunctions2_function', 'google_service_account', 'google_cloud_run_v2_service_iam_member'])
      for (const { name, body } of allOf(type))
        if (name.startsWith('jwks')) assert.equal(body.count, '${var.public_set == null ? 0 : 1}', `${type}.${name}`)
    for (const name of ['rotate', 'sweep', 'work'] as const) assert.equal(serviceOf(name).ingress_settings, 'ALLOW_INTERNAL_ONLY')
  })

  it('grant nothing to anybody else but the service agents that deliver', () => {
    const agent = (of: string): string => `serviceAccount:service-\${data.google_project.this.number}@gcp-sa-${of}.iam.gserviceaccount.com`
    const known = [...names, 'events', 'scheduler', 'tasks']
    const others = granted.filter(({ member, permissions }) => !known.includes(member) && !permissions.includes('run.invoker'))
    assert.deepEqual(
      others.map(({ member, kind, permissions }) => [member, kind, ...permissions]),
      [
        [agent('pubsub'), 'subscription ${google_pubsub_subscription.notices.name}', 'pubsub.subscriber'],
        [agent('pubsub'), 'dead letters', 'pubsub.publisher'],
        [agent('secretmanager'), 'notices', 'pubsub.publisher'],
      ],
    )
    for (const caller of ['events', 'scheduler', 'tasks']) assert.equal(granted.filter(({ member }) => member === caller).length, 1)
  })

  it('deliver to rotate the events that it reads, and no other', () => {
    const types = ['SECRET_CREATE', 'SECRET_UPDATE', 'SECRET_DELETE', 'SECRET_ROTATE', 'TOPIC_CONFIGURED']
    const all = [...types, ...['ADD', 'ENABLE', 'DISABLE', 'DESTROY', 'DESTROY_SCHEDULED'].map((one) => `SECRET_VERSION_${one}`)]
    const read = all.filter((eventType) => {
      const attributes = { eventType, secretId: 'projects/1/secrets/db', timestamp: '2026-01-01T00:00:00Z', versionId: 'v' }
      return readEvent({ type: 'google.cloud.pubsub.topic.v1.messagePublished', data: { message: { attributes } } }) !== undefined
    })
    const subscription = resource('google_pubsub_subscription', 'notices')
    assert.deepEqual(textOf(subscription, 'filter'), read.map((one) => `attributes.eventType = "${one}"`).join(' OR '))
    const uri = '${google_cloudfunctions2_function.rotate.service_config[0].uri}'
    const push = blockOf(subscription, 'push_config')
    assert.equal(push.push_endpoint, `${uri}/\${google_pubsub_topic.notices.id}`)
    assert.deepEqual(blockOf(push, 'oidc_token'), { audience: uri, service_account_email: '${google_service_account.events.email}' })
    assert.equal(blockOf(subscription, 'dead_letter_policy').dead_letter_topic, '${google_pubsub_topic.dead_letters.id}')
    assert.deepEqual(Object.keys(blockOf(subscription, 'retry_policy')), ['maximum_backoff', 'minimum_backoff'])
    assert.equal(textOf(resource('google_pubsub_subscription', 'dead_letters'), 'topic'), '${google_pubsub_topic.dead_letters.id}')
  })

  it('call sweep by the schedule, with its token', () => {
    const job = resource('google_cloud_scheduler_job', 'sweep')
    const uri = '${google_cloudfunctions2_function.sweep.service_config[0].uri}'
    const target = blockOf(job, 'http_target')
    assert.deepEqual([target.http_method, target.uri], ['POST', uri])
    assert.deepEqual(blockOf(target, 'oidc_token'), { audience: uri, service_account_email: '${google_service_account.scheduler.email}' })
    assert.equal(job.schedule, '${var.look_minutes == 60 ? "0 * * * *" : "*/${var.look_minutes} * * * *"}')
    const minutes =
      /\[([\d, ]+)\]/
        .exec(writtenIn(module.variables.get('look_minutes')?.validation))?.[1]
        ?.split(', ')
        .map(Number) ?? []
    assert.deepEqual(
      minutes,
      [...Array(60).keys()].map((n) => n + 1).filter((n) => 60 % n === 0),
    )
    assert.equal(module.variables.get('look_minutes')?.default, 5)
  })

  it('name a queue, a URL and an account that the code takes, and the service that the URL is of', () => {
    const example: Readonly<Record<string, string>> = {
      'var.prefix': 'keyturn',
      'var.region': 'europe-west3',
      'data.google_project.this.number': '123456789012',
      'google_cloud_tasks_queue.work.id': 'projects/p/locations/europe-west3/queues/keyturn-work',
      'google_service_account.tasks.email': 'keyturn-tasks@p.iam.gserviceaccount.com',
    }
    const filled = (value: unknown): string =>
      String(value).replace(/\$\{([\w.]+)\}/g, (_, of: string) =>
        of.startsWith('local.') ? filled(module.locals.get(of.slice(6))) : (example[of] ?? assert.fail(of)),
      )
    const environment = Object.fromEntries(
      Object.entries(module.locals.get('sending') as Body).map(([name, value]) => [name, filled(value)]),
    )
    assert.deepEqual(readTasks(environment), {
      queue: example['google_cloud_tasks_queue.work.id'],
      url: 'https://keyturn-work-123456789012.europe-west3.run.app',
      account: example['google_service_account.tasks.email'],
    })
    assert.equal(filled(functionOf('work').name), 'keyturn-work')
    const longest = `${'p'.repeat(20)}-work-123456789012`
    assert.ok(longest.length <= 63, 'a part of a host name has at most 63 characters')
    const { locations } = gcpOptions({ KEYTURN_GCP_LOCATIONS: ['europe-west3', 'us-east1'].join(' ') }, new FakeEnv())
    assert.deepEqual(locations, ['europe-west3', 'us-east1'])
  })

  it('bound what the queue does to a database, and how long it repeats', () => {
    const queue = resource('google_cloud_tasks_queue', 'work')
    assert.deepEqual(blockOf(queue, 'rate_limits'), {
      max_concurrent_dispatches: '${var.rate.at_once}',
      max_dispatches_per_second: '${var.rate.per_second}',
    })
    assert.equal(serviceOf('work').max_instance_count, '${var.rate.at_once}')
    for (const name of ['rotate', 'sweep', 'work', 'invoke'] as const) assert.equal(serviceOf(name).max_instance_request_concurrency, 1)
    const { max_attempts, max_retry_duration } = blockOf(queue, 'retry_config')
    assert.deepEqual([max_attempts, max_retry_duration], [10, '3600s'])
  })

  it('have an alert for each metric, and no alert for a metric that is not there', () => {
    const metrics = allOf('google_logging_metric').map(({ name }) => name)
    const used = allOf('google_monitoring_alert_policy').flatMap(({ body }) =>
      blocksOf(body, 'conditions').flatMap((condition) =>
        referencesIn(condition).filter((one) => one.startsWith('google_logging_metric.')),
      ),
    )
    assert.deepEqual(sorted([...new Set(used)]), sorted(metrics.map((name) => `google_logging_metric.${name}`)))
    for (const { name, body } of allOf('google_monitoring_alert_policy')) {
      assert.equal(body.notification_channels, '${var.notification_channels}', name)
      for (const condition of blocksOf(body, 'conditions')) {
        const judged = [...blocksOf(condition, 'condition_threshold'), ...blocksOf(condition, 'condition_absent')]
        assert.equal(judged.length, 1, name)
        const filter = textOf(judged[0] ?? {}, 'filter')
        assert.match(
          filter,
          /^resource\.type = "\w+" AND metric\.type = "(logging\.googleapis\.com\/user\/\$\{google_logging_metric\.\w+\.name\}"$|pubsub\.googleapis\.com\/subscription\/num_undelivered_messages" AND )/,
        )
      }
    }
  })
})
