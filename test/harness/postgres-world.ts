import { randomBytes } from 'node:crypto'
import { systemEnv } from '../../shared/core/env.js'
import type { Policy, RotationRequest, SecretRef } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { AuditRecord } from '../../shared/lifecycle/guard/index.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import type { Deps, RotationResult } from '../../shared/lifecycle/secret/deps.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { asSuper } from './postgres-client.js'
import type { PostgresServer } from './postgres-server.js'

export const firstPassword = 'first-Password-0123456789-abcdef'
export const adminPassword = 'admin-Password-0123456789-abcdef'

export interface PostgresWorldOptions {
  readonly policy?: Policy
  readonly value?: Readonly<Record<string, unknown>>
  readonly text?: string
  readonly adminValue?: Readonly<Record<string, unknown>>
  readonly ca?: string
}

/** One secret of a real server, in a memory store, with everything that was written on the way. */
export class PostgresWorld {
  readonly server: PostgresServer
  readonly lines: string[] = []
  readonly audit: AuditRecord[] = []
  readonly store: MemoryStore
  readonly env: ReturnType<typeof systemEnv>
  readonly adminValue: string
  ref!: SecretRef
  #holders = 0
  /** Stands in for hours passing: grace and leases are not what these tests are about. */
  skewMs = 0

  static async open(server: PostgresServer, options: PostgresWorldOptions = {}): Promise<PostgresWorld> {
    const world = new PostgresWorld(server, options)
    const value = {
      engine: 'postgres',
      host: '127.0.0.1',
      port: server.port,
      username: 'app',
      password: firstPassword,
      dbname: 'postgres',
      sslmode: 'disable',
      ...options.value,
    }
    const policy = { 'keyturn-rotator': 'postgres', ...options.policy }
    world.ref = await world.store.create(
      `db-${randomBytes(4).toString('hex')}`,
      new SecretText(options.text ?? JSON.stringify(value)),
      policy,
    )
    return world
  }

  private constructor(server: PostgresServer, options: PostgresWorldOptions) {
    this.server = server
    const env = systemEnv({
      log: (code, fields) => void this.lines.push(JSON.stringify({ code, ...fields })),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    })
    this.env = { ...env, now: () => env.now() + this.skewMs }
    this.store = new MemoryStore(this.env)
    const admin = {
      engine: 'postgres',
      host: '127.0.0.1',
      port: server.port,
      username: 'keyturn_admin',
      password: adminPassword,
      dbname: 'postgres',
      sslmode: 'disable',
    }
    this.adminValue = JSON.stringify({ ...admin, ...options.adminValue })
  }

  deps(): Deps {
    return {
      store: this.store,
      loadRotator,
      infer: () => ({}),
      configuration: async () => noConfiguration,
      loadNotifier,
      journal: true,
      readAdmin: async (text) => ({
        value: new SecretText(this.adminValue),
        ref: { store: storeKind('memory'), key: text, shown: text, name: text },
      }),
      env: this.env,
      audit: { write: async (record) => void this.audit.push(record) },
      holder: `holder-${++this.#holders}`,
      leaseMs: 60_000,
      shortGrace: true,
    }
  }

  rotate(request: Partial<RotationRequest> = {}, given?: SecretText): Promise<RotationResult> {
    return rotate(this.deps(), { kind: 'rotate', ref: this.ref.shown, at: this.env.now(), ...request }, given)
  }

  async current(): Promise<Record<string, string>> {
    return JSON.parse(await this.currentText()) as Record<string, string>
  }
  async currentText(): Promise<string> {
    const { current } = await this.store.describe(this.ref)
    return current ? (await this.store.read(this.ref, current.id)).reveal() : ''
  }
  /** Everything that a person or a log collector could have read. */
  everythingWritten(): string {
    return JSON.stringify([this.lines, this.audit])
  }
}

/** The roles that most tests start from: app, a pair, and an administrator who may change them on every version. */
export async function arrangeRoles(server: PostgresServer): Promise<void> {
  const quoted = (text: string) => `'${text}'`
  await asSuper(server, `create role keyturn_admin login createrole password ${quoted(adminPassword)}`)
  await asSuper(server, `create role app login password ${quoted(firstPassword)}`)
  await asSuper(server, 'create role app_owner nologin')
  const inherit =
    server.log.includes('PostgreSQL 14') || server.log.includes('PostgreSQL 15') ? '' : ' with admin option, inherit false, set false'
  for (const role of ['app_a', 'app_b', 'plain', 'plain_clone']) {
    await asSuper(server, `create role ${role} login password ${quoted(firstPassword)}`)
  }
  for (const role of ['app', 'app_a', 'app_b', 'plain', 'plain_clone'])
    if (inherit) await asSuper(server, `grant ${role} to keyturn_admin${inherit}`)
  for (const role of ['app_a', 'app_b']) {
    await asSuper(server, `grant app_owner to ${role}`)
    await asSuper(server, `alter role ${role} set role to 'app_owner'`)
  }
  await asSuper(server, 'grant plain to plain_clone')
}
