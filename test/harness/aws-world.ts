import { createHandler, type Handler } from '../../functions/aws/rotate.js'
import { inferPolicy } from '../../shared/app/infer.js'
import { systemEnv } from '../../shared/core/env.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { AuditRecord } from '../../shared/lifecycle/guard/index.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import type { AwsSecretsManagerAdmin } from '../../shared/stores/aws-secrets-manager/admin.js'
import { openAws, useAwsEnvironment } from './aws.js'
import { asSuper } from './postgres-client.js'
import type { PostgresServer } from './postgres-server.js'
import { adminPassword, firstPassword } from './postgres-world.js'
import { type RotationEvent, SecretsManagerDouble } from './secrets-manager.js'

export const functionArn = 'arn:aws:lambda:eu-west-1:123456789012:function:keyturn-rotate'
/** All that the rotate function's role may do; everything else is denied by the double while a function runs. */
export const allowed = ['DescribeSecret', 'GetSecretValue', 'PutSecretValue', 'UpdateSecretVersionStage']
const denied = [
  'TagResource',
  'UntagResource',
  'ListSecretVersionIds',
  'ListSecrets',
  'CreateSecret',
  'RotateSecret',
  'CancelRotateSecret',
  'DeleteSecret',
]

export interface Instances {
  /** A new instance for every call, instead of one that stays warm. */
  readonly cold?: boolean
  readonly environment?: Readonly<Record<string, string>>
  /** How long an invocation may take; it waits by setting the clock ahead. */
  readonly remainingMs?: number
  readonly given?: Partial<Env>
}

/** Secrets Manager on loopback, whose rotations call the real handler in this process, against a real PostgreSQL. */
export class AwsWorld {
  readonly double: SecretsManagerDouble
  /** Whose logins are rotated; nobody is asked where none is. */
  readonly server: Pick<PostgresServer, 'port'>
  /** What the function printed and what it threw. */
  readonly said: string[] = []
  skewMs = 0
  #handler: Handler | undefined
  #requests = 0
  instances: Instances = {}

  static async open(server: Pick<PostgresServer, 'port'>, instances: Instances = {}): Promise<AwsWorld> {
    useAwsEnvironment()
    const world = new AwsWorld(server, await SecretsManagerDouble.open())
    world.instances = instances
    world.double.now = () => Date.now() + world.skewMs
    world.double.attemptsMax = 1
    world.double.functions.set(functionArn, (event) => world.invoke(event))
    return world
  }
  private constructor(server: Pick<PostgresServer, 'port'>, double: SecretsManagerDouble) {
    this.server = server
    this.double = double
  }

  /** One call of the function, under its role; undefined when it ended well, else what it threw. */
  async invoke(event: unknown): Promise<string | undefined> {
    const handler = this.#instance()
    const write = process.stderr.write
    process.stderr.write = (text: string | Uint8Array) => this.said.push(String(text)) > 0
    for (const action of denied) this.double.deny.add(action)
    try {
      await handler(event, {
        awsRequestId: `request-${++this.#requests}`,
        getRemainingTimeInMillis: () => this.instances.remainingMs ?? 60_000,
      })
      return undefined
    } catch (cause) {
      const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
      this.said.push(cause instanceof Error ? `${cause.stack}` : text)
      return text
    } finally {
      this.double.deny.clear()
      process.stderr.write = write
    }
  }
  /** The warm instance is gone, as after a crash. */
  crash(): void {
    this.#handler = undefined
  }
  #instance(): Handler {
    if (this.#handler && !this.instances.cold) return this.#handler
    const environment = { SECRETS_MANAGER_ENDPOINT: this.double.endpoint, KEYTURN_SHORT_GRACE: '1', ...this.instances.environment }
    this.#handler = createHandler(environment, {
      now: this.#now,
      sleep: this.#sleep,
      ...this.instances.given,
    })
    return this.#handler
  }

  #now = (): number => Date.now() + this.skewMs
  #sleep = async (ms: number): Promise<void> => {
    this.skewMs += ms
  }

  value(username: string, password = firstPassword, more: object = {}): string {
    return JSON.stringify({
      engine: 'postgres',
      host: '127.0.0.1',
      username,
      password,
      dbname: 'postgres',
      port: this.server.port,
      ssl: false,
      ...more,
    })
  }
  adminValue = (more: object = {}): string => this.value('keyturn_admin', adminPassword, more)

  /** A secret with rotation set up, but not started. */
  make(name: string, value: string, tags: Readonly<Record<string, string>> = {}): string {
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
    const { ARN } = this.double.do('CreateSecret', { Name: name, SecretString: value, ClientRequestToken: this.double.newId(), Tags })
    const secret = this.double.find({ SecretId: ARN })
    this.skewMs += 10 // what is asked for in the same millisecond is asked for before it was made
    secret.rotation = { enabled: true, functionArn, rules: { AutomaticallyAfterDays: 30 }, attempts: 0 }
    return String(ARN)
  }

  /** As a person or the schedule does; until the service has given up or is done. */
  async rotate(arn: string, more: object = {}): Promise<string> {
    const { VersionId } = this.double.do('RotateSecret', { SecretId: arn, ClientRequestToken: this.double.newId(), ...more })
    await this.double.settled()
    return String(VersionId)
  }
  /** The service tries again what did not end. */
  async again(arn: string): Promise<void> {
    await this.double.attempt(this.double.find({ SecretId: arn }))
  }

  valueOf(arn: string, stage = 'AWSCURRENT'): string {
    return String(this.double.do('GetSecretValue', { SecretId: arn, VersionStage: stage }).SecretString)
  }
  loginOf(arn: string, stage?: string): { readonly username: string; readonly password: string } {
    return JSON.parse(this.valueOf(arn, stage)) as { username: string; password: string }
  }
  stagesOf(arn: string): Readonly<Record<string, readonly string[]>> {
    return this.double.do('DescribeSecret', { SecretId: arn }).VersionIdsToStages as Record<string, string[]>
  }

  /** A person's rights and command line. */
  get store(): AwsSecretsManagerAdmin {
    return openAws(this.double.endpoint, this.env)
  }
  get env(): Env {
    const env = systemEnv({ log: (code, fields) => void this.said.push(JSON.stringify({ code, ...fields })) })
    return { ...env, now: () => env.now() + this.skewMs }
  }
  readonly audit: AuditRecord[] = []
  deps(): Deps {
    const store = this.store
    return {
      store,
      loadRotator,
      infer: inferPolicy,
      configuration: async () => noConfiguration,
      loadNotifier,
      journal: true,
      readAdmin: (ref) => store.readCurrent(ref),
      env: this.env,
      audit: { write: async (record) => void this.audit.push(record) },
      holder: `person-${++this.#requests}`,
      leaseMs: 60_000,
      shortGrace: true,
    }
  }
  close = (): Promise<void> => this.double.close()
}

/** Roles as most tests begin with: app alone, and plain with its clone. */
export async function resetRoles(server: PostgresServer): Promise<void> {
  for (const role of ['app', 'plain', 'plain_clone', 'app_a', 'app_b'])
    await asSuper(server, `alter role ${role} login password '${firstPassword}'`)
}

export type { RotationEvent }
