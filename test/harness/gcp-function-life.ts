import assert from 'node:assert/strict'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { status } from '@grpc/grpc-js'
import { DeadLetterTopic } from '../../functions/gcp/dead-letters.js'
import { createHandler as createInvoke } from '../../functions/gcp/invoke.js'
import { createHandler as createRotate } from '../../functions/gcp/rotate.js'
import { createHandler as createSweep } from '../../functions/gcp/sweep.js'
import { readTasks } from '../../functions/gcp/tasks/settings.js'
import { CloudTasks } from '../../functions/gcp/tasks.js'
import { createHandler as createWork } from '../../functions/gcp/work.js'
import { parseConfiguration } from '../../shared/app/configuration.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { RunService } from '../../shared/google/run-service.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { GcpSecretManager } from '../../shared/stores/gcp-secret-manager.js'
import { CloudTasksDouble } from './cloud-tasks.js'
import { eventHeaders, messageOf, type Seen, ServedFunction } from './gcp-functions.js'
import { Gate, type Held } from './gcp-granted.js'
import { GoogleMachine } from './gcp-machine.js'
import { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import { LedHosts } from './lead-hosts.js'
import { type RestAnswer, type RestCall, RestDouble, refusal } from './rest-double.js'
import { key, WebhookServer } from './webhook-server.js'
import { World } from './world.js'

/** The functions that act on secrets. */
export const acting = ['rotate', 'sweep', 'work', 'invoke'] as const
export type Acting = (typeof acting)[number]
/** The account of a function, as a binding names it. */
export const memberOf = (name: string): string => `serviceAccount:keyturn-${name}@p.iam.gserviceaccount.com`

/** The service of Cloud Run under a function. */
export const serviceOf = (name: string): string => `projects/p/locations/europe-west1/services/keyturn-${name}`
const queueName = 'projects/p/locations/europe-west1/queues/keyturn'
/** The account whose token a task carries. */
export const workAccount = 'keyturn-tasks@p.iam.gserviceaccount.com'
const dayMs = 86_400_000
const minuteMs = 60_000
const queueEnvironment = {
  KEYTURN_QUEUE: queueName,
  KEYTURN_WORK_URL: 'https://keyturn-work-123456789012.europe-west1.run.app',
  KEYTURN_WORK_ACCOUNT: workAccount,
}
/** The names that the life uses: the secret, its companion, one of a user of Cloud SQL, the administrator and the configuration. */
export const names = {
  secret: 'projects/123456789012/secrets/db',
  companion: 'projects/123456789012/secrets/copy',
  sql: 'projects/123456789012/secrets/sql',
  sqlProject: 'projects/shop-prod',
  administrator: 'projects/210987654321/secrets/pg-admin',
  configuration: 'projects/123456789012/secrets/config',
  queue: queueName,
  account: `projects/-/serviceAccounts/${workAccount}`,
  deadLetters: 'projects/p/topics/keyturn-dead-letters',
  consumerTopic: 'projects/p/topics/secret-changes',
} as const

/** A consumer that has to follow, one that is asked again where it does not answer, and a companion. */
const configurationOf = (port: number): string =>
  JSON.stringify({
    consumers: {
      shop: { kind: 'manual', required: true },
      bus: { kind: 'pubsub', required: false, topic: names.consumerTopic },
      web: { kind: 'webhook', required: false, url: `http://127.0.0.1:${port}/`, keys: [key], allow: ['127.0.0.0/8'], plaintext: true },
    },
    companions: { copy: { content: 'copy', of: 'gcp:projects/p/secrets/db', at: 'gcp:projects/p/secrets/copy', order: 'before' } },
  })

/** A line of a function's log. */
export interface Printed {
  readonly by: Acting
  readonly line: Readonly<Record<string, unknown>>
}
interface LifeOptions {
  /** Whether the secret has version_destroy_ttl. */
  readonly destroysLater?: boolean
  /** Asked after each call. */
  readonly until?: (lines: readonly Printed[]) => boolean
}
/** The life has shown what it was lived for. */
class Enough extends Error {}

type Clock = { now: () => number }

/** The four functions, each under its own account, in whole lives of a secret. What was not granted is refused. */
export class FunctionLife {
  readonly double: GcpSecretManagerDouble
  readonly gate: Gate
  readonly #tasks: CloudTasksDouble
  /** Pub/Sub, Cloud Run and Cloud SQL. */
  readonly #rest: RestDouble
  readonly #machine: GoogleMachine
  readonly #led: LedHosts
  readonly #web: WebhookServer
  readonly #client: SecretManagerServiceClient
  readonly #clock: Clock
  #served: Partial<Record<Acting, ServedFunction>> = {}
  #world: World | undefined
  #lives = 0
  /** The lines that each function printed. */
  readonly lines: Printed[] = []
  #until: (lines: readonly Printed[]) => boolean = () => false
  #acting: Acting = 'sweep'

  private constructor(
    [double, tasks, web, rest]: readonly [GcpSecretManagerDouble, CloudTasksDouble, WebhookServer, RestDouble],
    machine: GoogleMachine,
    led: LedHosts,
    clock: Clock,
  ) {
    this.double = double
    this.gate = new Gate(double)
    this.#tasks = tasks
    this.#machine = machine
    this.#led = led
    this.#web = web
    this.#rest = rest
    rest.answer = (call) => this.#answerRest(call)
    this.#client = new SecretManagerServiceClient(double.clientOptions)
    this.#clock = clock
  }
  static async open(): Promise<FunctionLife> {
    const clock = { now: () => 0 }
    const now = () => clock.now()
    const servers = await Promise.all([
      GcpSecretManagerDouble.open(now),
      CloudTasksDouble.open(now),
      WebhookServer.open(),
      RestDouble.open(),
    ])
    const led = await LedHosts.open({ 'pubsub.googleapis.com': servers[3].port, 'sqladmin.googleapis.com': servers[3].port })
    return new FunctionLife(servers, await GoogleMachine.open(), led, clock)
  }
  async close(): Promise<void> {
    await this.#end()
    await this.#client.close()
    await this.double.close()
    await this.#tasks.close()
    await this.#rest.close()
    this.#web.close()
    await this.#led.close()
    await this.#machine.close()
  }
  async #end(): Promise<void> {
    for (const one of Object.values(this.#served)) await one.close()
    this.#served = {}
  }

  /** Lives one life with what the accounts have, or as much of it as `until` asks for. Answers what each function answered that is not a success. */
  async live(held: readonly Held[], { destroysLater = false, until = () => false }: LifeOptions = {}): Promise<readonly string[]> {
    this.#until = until
    await this.#end()
    this.double.reset()
    this.#tasks.tasks.clear()
    this.#tasks.gone.clear()
    this.#tasks.queues.clear()
    this.#tasks.queues.add(queueName)
    this.gate.held = held
    this.gate.used.clear()
    this.lines.length = 0
    this.#web.got.length = 0
    this.#web.answer = (_, response) => void response.writeHead(this.#web.got.length < 3 ? 503 : 204).end()
    await this.#begin(destroysLater)
    const said: string[] = []
    try {
      await this.#walk(said)
    } catch (cause) {
      if (!(cause instanceof Enough)) throw cause
    }
    return said
  }

  async #begin(destroysLater: boolean): Promise<void> {
    this.double.mayNot = () => false
    const world = await World.open('b', (env) => this.#admin(env), `function-grants-${++this.#lives}`)
    this.#world = world
    this.#make('q', 'pg-admin', '{"username":"admin"}')
    this.#make('p', 'config', configurationOf(this.#web.port))
    world.configuration = parseConfiguration(new SecretText(configurationOf(this.#web.port)))
    await world.store.release(world.ref)
    await world.store.create('copy', new SecretText(world.firstValue), {})
    const person = { ...world.deps('a person'), readAdmin: (ref: string) => world.store.readCurrent(ref) }
    await adopt(person, world.store, world.ref.shown, {
      'keyturn-rotator': 'memory-b',
      'keyturn-pair': 'app_a app_b',
      'keyturn-admin': 'gcp:projects/q/secrets/pg-admin',
      'keyturn-every': '30d',
      'keyturn-grace': '1h',
      'keyturn-consumers': 'shop web bus',
      'keyturn-companions': 'copy',
    })
    if (destroysLater) this.#delayDestruction(world.ref.key)
    await this.#beginSql(world)
    await this.#serve(world)
  }
  /** A user of Cloud SQL, whose instance no path leads to. It is adopted when it was made: what the service answers to a person is asked elsewhere. */
  async #beginSql({ store }: World): Promise<void> {
    const policy = {
      'keyturn-rotator': 'cloud-sql',
      'keyturn-instance': 'shop-prod:main',
      'keyturn-proven-by': 'answer',
      'keyturn-every': '30d',
      'keyturn-consumers': 'none',
    }
    await store.create('sql', new SecretText('{"username":"app","password":"first-password-0123456789"}'), policy)
  }
  #admin(env: World['env']): GcpSecretManagerAdmin {
    this.#clock.now = env.now
    return new GcpSecretManagerAdmin({ env, project: 'p', open: () => this.#client })
  }
  #make(project: string, secretId: string, text: string): void {
    const secret = { replication: { automatic: {} } }
    this.double.do('CreateSecret', { parent: `projects/${project}`, secretId, secret })
    this.double.do('AddSecretVersion', { parent: `projects/${project}/secrets/${secretId}`, payload: { data: Buffer.from(text) } })
  }
  #delayDestruction(name: string): void {
    const secret = { name, versionDestroyTtl: { seconds: 86_400 } }
    this.double.do('UpdateSecret', { secret, updateMask: { paths: ['version_destroy_ttl'] } })
  }

  async #serve({ env }: World): Promise<void> {
    const given = {
      environment: { GOOGLE_CLOUD_PROJECT: 'p', KEYTURN_SHORT_GRACE: '1', KEYTURN_CONFIG: 'gcp:projects/p/secrets/config' },
      env: {
        now: env.now,
        sleep: env.sleep,
        random: env.random,
        log: (code: string, fields: object) => this.#print({ log: code, ...fields }),
      },
      openStore: () => new GcpSecretManager({ env, project: 'p', open: () => this.#client }),
      openQueue: () => new CloudTasks({ ...readTasks(queueEnvironment), env, endpoint: this.#tasks.endpoint }),
      letters: new DeadLetterTopic({ env, topic: names.deadLetters, endpoint: this.#rest.endpoint }),
    }
    const of = (name: Acting) => {
      const service = new RunService({ env, name: serviceOf(name), endpoint: this.#rest.endpoint })
      return { ...given, whyPublic: () => service.whyPublic() }
    }
    this.#served = {
      rotate: await ServedFunction.events(createRotate(of('rotate'))),
      sweep: await ServedFunction.http(createSweep(of('sweep'))),
      work: await ServedFunction.http(createWork(of('work'))),
      invoke: await ServedFunction.http(createInvoke(of('invoke'))),
    }
  }
  /** What Pub/Sub, Cloud Run and Cloud SQL answer to the account that acts now. */
  #answerRest({ path, method: verb }: RestCall): RestAnswer {
    if (path.startsWith(`/v1/${names.sqlProject}/`)) return this.#answerSql(path, verb)
    const on = path.replace(/^\/v[12]\//, '').replace(/:\w+$/, '')
    const method = /:(\w+)$/.exec(path)?.[1] ?? 'get'
    const permission = on.includes('/topics/') ? 'pubsub.topics.publish' : `run.services.${method}`
    const isHeld = this.#has(this.#acting, permission, on)
    if (method === 'testIamPermissions') return { status: 200, body: { permissions: isHeld ? [permission] : [] } }
    if (!isHeld) return refusal(403, 'PERMISSION_DENIED')
    this.gate.used.add([memberOf(this.#acting), on, '', permission].join(' '))
    return { status: 200, body: {} }
  }
  #answerSql(path: string, verb: string): RestAnswer {
    const permission = verb === 'PUT' ? 'cloudsql.users.update' : path.includes('/users/') ? 'cloudsql.users.get' : 'cloudsql.instances.get'
    if (!this.#has(this.#acting, permission, names.sqlProject)) return refusal(403, 'PERMISSION_DENIED')
    this.gate.used.add([memberOf(this.#acting), names.sqlProject, '', permission].join(' '))
    if (verb === 'PUT') return { status: 200, body: { name: 'operation-1', status: 'DONE' } }
    return { status: 200, body: { databaseVersion: 'MYSQL_8_0', state: 'RUNNABLE' } }
  }
  #print(line: Readonly<Record<string, unknown>>): void {
    this.lines.push({ by: this.#acting, line })
  }

  /** Lets one function act under its own account. */
  async #call(name: Acting, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Seen> {
    this.#acting = name
    this.gate.acting = memberOf(name)
    this.gate.close()
    this.#denyTasks(name)
    const before = this.#tasks.calls.length
    const seen = await (this.#served[name] ?? assert.fail(name)).post(body, headers)
    if (this.#tasks.calls.length > before) this.#noteTasks(name)
    if (this.#until(this.lines)) throw new Enough()
    return seen
  }
  #has = (name: Acting, permission: string, on: string): boolean =>
    this.gate.held.some((one) => one.member === memberOf(name) && one.on === on && one.permissions.includes(permission))
  #denyTasks(name: Acting): void {
    this.#tasks.deny.clear()
    if (!this.#has(name, 'cloudtasks.tasks.create', names.queue)) this.#tasks.deny.add('cloudtasks.tasks.create')
    if (!this.#has(name, 'iam.serviceAccounts.actAs', names.account)) this.#tasks.deny.add('iam.serviceAccounts.actAs')
  }
  #noteTasks(name: Acting): void {
    for (const { member, on, permissions, condition = '' } of this.gate.held)
      if (member === memberOf(name) && (on === names.queue || on === names.account))
        for (const permission of permissions) this.gate.used.add([member, on, condition, permission].join(' '))
  }

  /** From the due date to the retired login, by every way that there is; with lagging listings, and rotations that are cut off. */
  async #walk(said: string[]): Promise<void> {
    const { env } = this.#world ?? assert.fail('no world')
    const keep = (name: Acting, { status: code, text }: Seen): void => {
      if (code >= 300 || /"code":"/.test(text)) said.push(`${name} ${code}: ${text}`)
    }
    const deliver = async (): Promise<void> => {
      for (const { name, body } of this.#tasks.due) {
        this.#tasks.tasks.delete(name)
        keep('work', await this.#call('work', body.toString('utf8')))
      }
    }
    const pass = async (times: number): Promise<void> => {
      for (let n = 0; n < times; n++) {
        keep('sweep', await this.#call('sweep', ''))
        await deliver()
        env.time += 6 * minuteMs
      }
    }
    const ask = async (asked: object): Promise<void> =>
      keep('invoke', await this.#call('invoke', { ref: 'gcp:projects/p/secrets/db', ...asked }))
    const seen = (): Promise<void> => ask({ action: 'seen', consumer: 'shop', phase: 'drained' })
    const notice = async (secretId: string = names.secret): Promise<void> => {
      const attributes = { eventType: 'SECRET_ROTATE', secretId, timestamp: new Date(env.time).toISOString() }
      keep('rotate', await this.#call('rotate', messageOf(attributes), eventHeaders('1')))
    }
    for (const name of ['rotate', 'work'] as const)
      keep(name, await this.#call(name, { not: 'readable' }, name === 'rotate' ? eventHeaders('0') : undefined))
    await pass(2)
    await seen()
    env.time += 31 * dayMs
    await pass(2)
    await seen()
    env.time += 2 * 60 * minuteMs
    await pass(2) // retires
    for (const action of ['verify', 'status', 'rotate']) await ask({ action })
    await ask({ action: 'rotate', ref: 'gcp:projects/p/secrets/sql' })
    await seen()
    env.time += 2 * 60 * minuteMs
    await ask({ action: 'retire' })
    await notice()
    await pass(1)
    await seen()
    env.time += 2 * 60 * minuteMs
    await pass(1)
    for (const go of [notice, () => ask({ action: 'rotate' }), () => pass(1)] as const) {
      await this.#cut(notice)
      this.double.fault = ({ name, staging }) => (name === 'ListSecretVersions' && staging ? { staleWrites: 6 } : undefined)
      env.time += 16 * minuteMs
      keep('sweep', await this.#call('sweep', ''))
      await go()
      this.double.fault = ({ name, staging }) => (name === 'ListSecretVersions' && !staging ? { staleWrites: 2 } : undefined)
      await go()
      await pass(1)
      this.double.fault = () => undefined
      await seen()
      env.time += 2 * 60 * minuteMs
      await pass(1)
      await ask({ action: 'retire' })
      env.time += dayMs
    }
    env.time += 31 * dayMs
    await notice(names.sql)
  }
  /** A rotation that fails when its value is staged. */
  async #cut(notice: () => Promise<void>): Promise<void> {
    this.double.fault = ({ name, staging, secret }) =>
      name === 'AddSecretVersion' && !staging && secret === names.secret ? { code: status.INVALID_ARGUMENT } : undefined
    await notice()
    this.double.fault = () => undefined
  }
}
