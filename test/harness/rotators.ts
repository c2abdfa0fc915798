import { systemEnv } from '../../shared/core/env.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { AnyRotator, Context } from '../../shared/core/ports/rotator.js'
import type { Policy, SecretRef, Token } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { loadRotator, type RotatorKind } from '../../shared/rotators/registry.js'
import { useAwsEnvironment } from './aws.js'
import { AzureMachine } from './azure-machine.js'
import { AzureManagementDouble, idOf } from './azure-management.js'
import { CloudSqlDouble } from './cloud-sql.js'
import { FakeEnv } from './fake-env.js'
import { GoogleMachine } from './gcp-machine.js'
import { LedHosts } from './lead-hosts.js'
import type { AnyPlane } from './plane-point.js'
import { asSuper } from './postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from './postgres-server.js'
import { adminPassword, arrangeRoles, firstPassword } from './postgres-world.js'
import { type RdsDatabase, RdsDouble } from './rds.js'

export interface RotatorHarness {
  readonly rotator: AnyRotator
  readonly policy: Policy
  readonly current: SecretText
  readonly admin?: SecretText
  context(current: unknown): Context<unknown>
  /** Whether the target has the password of the value, where no login can tell. */
  holds?(value: SecretText): boolean
  close(): Promise<void>
}
export interface NamedRotator {
  readonly name: string
  /** Whether the outgoing credential still works after apply. */
  readonly overlaps: boolean
  /** Whether a new credential works before apply: what an issuer makes does. */
  readonly bornValid: boolean
  /** False where nothing outside knows the credential, so nothing outside refuses or forgets it. */
  readonly outside: boolean
  readonly skip: string | false
  open(): Promise<RotatorHarness>
}

const ref: SecretRef = { store: storeKind('memory'), key: 'db', shown: 'memory:db', name: 'db' }
const token = 'token-0123456789-0123456789-abcdef' as Token

function contextOf(policy: Policy, env: Context<unknown>['env'], admin?: SecretText): RotatorHarness['context'] {
  return (current) => ({
    ref,
    token,
    policy,
    current,
    deadline: env.now() + 60_000,
    live: [],
    env,
    ...(admin ? { admin: { value: admin, ref: { ...ref, shown: 'memory:admin', name: 'admin' } } } : {}),
  })
}

function memory(kind: RotatorKind, overlaps: boolean, bornValid: boolean, policy: Policy = {}): NamedRotator {
  return {
    name: kind,
    overlaps,
    bornValid,
    outside: kind !== 'memory-f',
    skip: false,
    open: async () => {
      const target = new MemoryTarget()
      setMemoryTarget(kind, target)
      const password = 'first-password-0123456789abcdef'
      target.accounts.set('app_a', password).set('app_b', '')
      const user = kind === 'memory-c' ? (await target.issue('first', password, 0)).id : 'app_a'
      const ring = kind === 'memory-f' ? { ring: [{ kid: user, key: password }] } : {}
      const current = new SecretText(JSON.stringify({ engine: kind, target: kind, username: user, note: 'stays', password, ...ring }))
      return { rotator: await loadRotator(kind), policy, current, context: contextOf(policy, new FakeEnv()), close: async () => {} }
    },
  }
}

const postgres = (name: string, username: string, overlaps: boolean, policy: Policy, withAdmin: boolean): NamedRotator => ({
  name: `postgres (${name})`,
  overlaps,
  bornValid: false,
  outside: true,
  skip: binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS',
  open: async () => {
    const server = await PostgresServer.start()
    await arrangeRoles(server)
    const value = (user: string, password: string) =>
      new SecretText(
        JSON.stringify({
          engine: 'postgres',
          host: '127.0.0.1',
          port: server.port,
          username: user,
          note: 'stays',
          password,
          dbname: 'postgres',
          sslmode: 'disable',
        }),
      )
    const admin = withAdmin ? value('keyturn_admin', adminPassword) : undefined
    return {
      rotator: await loadRotator('postgres'),
      policy,
      current: value(username, firstPassword),
      context: contextOf(policy, systemEnv({ log: () => {} }), admin),
      close: async () => {
        await server.stop()
        await removeCopies()
      },
    }
  },
})

/** The control plane sets the password a while later; this clock goes ahead whenever it is slept on. */
function rds(name: string, kind: RdsDatabase['kind']): NamedRotator {
  return {
    name: `rds (${name})`,
    overlaps: false,
    bornValid: false,
    outside: true,
    skip: binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS',
    open: async () => {
      useAwsEnvironment()
      const server = await PostgresServer.start()
      await arrangeRoles(server)
      const double = await RdsDouble.open()
      const place = { host: '127.0.0.1', port: server.port }
      double.databases.push({ kind, id: 'main', ...place, engine: 'postgres', status: 'available', masterUser: 'app' })
      double.onEffect = async ({ masterUser }, password) => void (await asSuper(server, `alter role ${masterUser} password '${password}'`))
      const field = kind === 'cluster' ? 'dbClusterIdentifier' : 'dbInstanceIdentifier'
      const login = { username: 'app', note: 'stays', password: firstPassword, dbname: 'postgres', sslmode: 'disable' }
      let ahead = 0
      const now = () => Date.now() + ahead
      double.now = now
      const env: Env = {
        ...systemEnv({ log: () => {} }),
        now,
        sleep: async (ms) => {
          ahead += ms
        },
      }
      return {
        rotator: await loadRotator('rds'),
        policy: {},
        current: new SecretText(JSON.stringify({ engine: 'postgres', ...place, ...login, [field]: 'main' })),
        context: contextOf({}, env),
        close: async () => {
          await double.close()
          await server.stop()
          await removeCopies()
        },
      }
    },
  }
}

/** A clock that goes ahead whenever it is slept on. */
function aheadEnv(): Env {
  let ahead = 0
  return {
    ...systemEnv({ log: () => {} }),
    now: () => Date.now() + ahead,
    sleep: async (ms) => {
      ahead += ms
    },
  }
}

/** The interface of a platform at a double, and the login that it makes there. */
interface Plane {
  readonly double: AnyPlane
  readonly host: string
  readonly machine: { close(): Promise<void> }
  readonly policy: Policy
  has(): string | undefined
}

/** What sets passwords through a platform; behind it a real PostgreSQL, or a MySQL to which no path leads. */
function throughPlane(kind: RotatorKind, engine: 'postgres' | 'mysql', openPlane: (isMysql: boolean) => Promise<Plane>): NamedRotator {
  const isMysql = engine === 'mysql'
  return {
    name: `${kind} (${isMysql ? 'MySQL, by the answer' : 'PostgreSQL, by login'})`,
    overlaps: false,
    bornValid: false,
    outside: true,
    skip: isMysql || binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS',
    open: async () => {
      const { double, host, machine, policy: own, has } = await openPlane(isMysql)
      const led = await LedHosts.open({ [host]: double.port })
      const server = isMysql ? undefined : await PostgresServer.start()
      if (server !== undefined) {
        await arrangeRoles(server)
        double.onEffect = async (user, password) => void (await asSuper(server, `alter role ${user} password '${password}'`))
      }
      const env = aheadEnv()
      double.now = env.now
      const policy = { ...own, ...(isMysql ? { 'keyturn-proven-by': 'answer' } : {}) }
      const place = { host: '127.0.0.1', port: server?.port ?? 3306 }
      const tls = isMysql ? {} : { sslmode: 'disable' }
      const login = { username: 'app', note: 'stays', password: firstPassword, dbname: 'postgres', ...tls }
      return {
        rotator: await loadRotator(kind),
        policy,
        current: new SecretText(JSON.stringify({ engine, ...place, ...login })),
        context: contextOf(policy, env),
        ...(isMysql ? { holds: (value: SecretText) => JSON.parse(value.reveal()).password === has() } : {}),
        close: async () => {
          await led.close()
          await double.close()
          await machine.close()
          await server?.stop()
          await removeCopies()
        },
      }
    },
  }
}

async function cloudSql(isMysql: boolean): Promise<Plane> {
  const [machine, double] = [await GoogleMachine.open(), await CloudSqlDouble.open()]
  const instance = double.make({ version: isMysql ? 'MYSQL_8_0' : 'POSTGRES_18' })
  const user = isMysql ? 'app@%' : 'app'
  instance.users.set(user, { password: firstPassword })
  const policy = { 'keyturn-instance': 'shop-prod:europe-west3:main' }
  return { machine, double, host: 'sqladmin.googleapis.com', policy, has: () => instance.users.get(user)?.password }
}

async function flexibleServer(isMysql: boolean): Promise<Plane> {
  const [machine, double] = [await AzureMachine.open(), await AzureManagementDouble.open()]
  double.wantsToken = machine.judge
  const server = double.make({ provider: isMysql ? 'Microsoft.DBforMySQL' : 'Microsoft.DBforPostgreSQL', password: firstPassword })
  return { machine, double, host: 'management.azure.com', policy: { 'keyturn-resource-id': idOf(server) }, has: () => server.password }
}

const random = (name: string, policy: Policy, more: object = {}): NamedRotator => ({
  name: `random (${name})`,
  overlaps: true,
  bornValid: true,
  outside: false,
  skip: false,
  open: async () => ({
    rotator: await loadRotator('random'),
    policy: { 'keyturn-field': 'password', ...policy },
    current: new SecretText(JSON.stringify({ note: 'stays', password: 'first-password-0123456789', ...more })),
    context: contextOf({ 'keyturn-field': 'password', ...policy }, new FakeEnv()),
    close: async () => {},
  }),
})

const secretList: NamedRotator = {
  ...random('', {}),
  name: 'secret-list',
  open: async () => ({
    ...(await random('', {}).open()),
    rotator: await loadRotator('secret-list'),
    current: new SecretText(JSON.stringify({ note: 'stays', password: ['a'.repeat(32), 'b'.repeat(32)], password_id: 'abc' })),
  }),
}

const keyring: NamedRotator = {
  ...random('', {}),
  name: 'keyring',
  open: async () => ({
    ...(await random('', {}).open()),
    rotator: await loadRotator('keyring'),
    current: new SecretText(
      JSON.stringify({
        note: 'stays',
        password: 'ab'.repeat(32),
        password_id: 'k1',
        password_previous: [{ id: 'k0', key: 'cd'.repeat(32) }],
      }),
    ),
  }),
}

const signingKeys: NamedRotator = {
  ...random('', {}),
  name: 'jwt',
  open: async () => {
    const policy = { 'keyturn-field': 'password', 'keyturn-algorithm': 'ES256' }
    const [rotator, { context }] = [await loadRotator('jwt'), await random('', policy).open()]
    const empty = new SecretText(JSON.stringify({ note: 'stays', password: {} }))
    const env = new FakeEnv()
    env.time = 0 // so that its next key was announced long ago
    const first = await rotator.propose({ ...context(rotator.parse(empty, policy)), env })
    return { rotator, policy, context, current: rotator.render(empty, first), close: async () => {} }
  },
}

const pairOf = (pair: string): Policy => ({ 'keyturn-strategy': 'alternate', 'keyturn-pair': pair, 'keyturn-admin': 'memory:admin' })

/** One entry a registered rotator: a rotator without one, or with an empty one, does not compile. */
export const rotatorHarnesses: Readonly<Record<RotatorKind, readonly [NamedRotator, ...NamedRotator[]]>> = {
  'memory-a': [memory('memory-a', false, false)],
  'memory-b': [memory('memory-b', true, false, { 'keyturn-pair': 'app_a app_b' })],
  'memory-c': [memory('memory-c', true, true)],
  'memory-f': [memory('memory-f', true, true)],
  postgres: [
    postgres('replace by itself', 'app', false, {}, false),
    postgres('replace by an administrator', 'app', false, { 'keyturn-admin': 'memory:admin' }, true),
    postgres('alternate, acting pair', 'app_a', true, pairOf('app_a app_b'), true),
    postgres('alternate, plain pair', 'plain', true, pairOf('plain plain_clone'), true),
  ],
  random: [
    random('replace', {}),
    random('overlap', { 'keyturn-strategy': 'overlap' }, { password_previous: 'older-0123456789', password_id: 'abc' }),
  ],
  'secret-list': [secretList],
  keyring: [keyring],
  jwt: [signingKeys],
  'azure-flexible-server': [
    throughPlane('azure-flexible-server', 'postgres', flexibleServer),
    throughPlane('azure-flexible-server', 'mysql', flexibleServer),
  ],
  'cloud-sql': [throughPlane('cloud-sql', 'postgres', cloudSql), throughPlane('cloud-sql', 'mysql', cloudSql)],
  rds: [rds('instance', 'instance'), rds('cluster', 'cluster')],
}
