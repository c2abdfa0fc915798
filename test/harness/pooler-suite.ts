import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import type { RotationError } from '../../shared/core/errors.js'
import { Authority } from './pg-certificates.js'
import { freshLog } from './pg-log.js'
import { createRole, edgeMajors, onServers, type Suite } from './pg-suite.js'
import { loginThrough, Pooler, type PoolerOptions, whyNoPooler } from './pgbouncer.js'
import { asSuper } from './postgres-client.js'
import type { PostgresServer } from './postgres-server.js'
import { firstPassword, PostgresWorld } from './postgres-world.js'

const authority = new Authority()
const certificate = authority.issue(['IP:127.0.0.1'])
export const ssl = { ca: authority.ca }
/** What PgBouncer says to a password that it does not have. */
export const refused = '08P01 SASL authentication failed'

export const placesOf = (...poolers: readonly Pooler[]): string => poolers.map(({ port }) => `127.0.0.1:${port}`).join(' ')
export const through = (pooler: Pooler, user: string, password: string): Promise<string> => loginThrough(pooler.port, user, password, ssl)

/** Asserts the code of a failure, and words of its message and next step. */
export async function fails(act: Promise<unknown>, code: string, ...words: readonly RegExp[]): Promise<void> {
  await assert.rejects(act, (cause: RotationError) => {
    assert.equal(cause.code, code, cause.message)
    for (const word of words) assert.match(`${cause.message} ${cause.next}`, word)
    return true
  })
}

/** A secret whose consumers come through poolers: one login, or two that act as one owner role. No other test uses them. */
export interface Opened {
  readonly server: PostgresServer
  readonly world: PostgresWorld
  readonly first: string
  /** The other login of the pair; with `replace` the only one. */
  readonly second: string
}
export interface Wish {
  readonly strategy: 'alternate' | 'replace'
  readonly policy?: Readonly<Record<string, string>>
  readonly value?: Readonly<Record<string, unknown>>
  readonly adminValue?: Readonly<Record<string, unknown>>
}

export interface PoolerSuite extends Suite {
  /** One pooler of each mode for all tests of the suite; they are there while the tests run. */
  readonly query: Pooler
  readonly list: Pooler
  open(wish: Wish): Promise<Opened>
  /** A pooler with a certificate of its own. It is stopped with the suite if the test does not do it. */
  start(options: PoolerOptions): Promise<Pooler>
  /** What the tests of the suite are skipped for. */
  readonly skip: string | false
}

let users = 0
async function openWorld(server: PostgresServer, { strategy, policy = {}, value = {}, adminValue = {} }: Wish): Promise<Opened> {
  const user = `own${++users}`
  const names = strategy === 'replace' ? [user] : [`${user}_a`, `${user}_b`]
  for (const name of names) {
    await createRole(server, name, firstPassword)
    if (strategy === 'replace') continue
    await asSuper(server, `grant app_owner to ${name}`)
    await asSuper(server, `alter role ${name} set role to 'app_owner'`)
  }
  const pair = { 'keyturn-strategy': 'alternate', 'keyturn-pair': names.join(' '), 'keyturn-admin': 'memory:admin', 'keyturn-grace': '1s' }
  const world = await PostgresWorld.open(server, {
    policy: { ...(strategy === 'alternate' ? pair : {}), ...policy },
    value: { username: names[0], sslmode: undefined, ...value },
    adminValue: { sslmode: undefined, ...adminValue },
    ca: authority.ca,
  })
  const [first = '', second = first] = names
  return { server, world, first, second }
}

/** Real servers, each behind two real poolers; TLS everywhere, with a certificate for each. */
export function onPoolers(title: string, tests: (suite: PoolerSuite) => void): void {
  const whole = (inner: Suite): void => {
    const poolers: { query?: Pooler; list?: Pooler } = {}
    const started: Pooler[] = []
    const start = async (options: PoolerOptions): Promise<Pooler> => {
      const pooler = await Pooler.start(inner.server, { tls: authority.issue(['IP:127.0.0.1']), ...options })
      started.push(pooler)
      return pooler
    }
    before(async () => {
      if (whyNoPooler) return
      poolers.query = await start({ mode: 'query' })
      poolers.list = await start({ mode: 'list' })
    })
    after(async () => {
      for (const pooler of started) await pooler.stop() // a test that failed has not done it, and would keep this process alive
    })
    const running = (mode: 'query' | 'list'): Pooler => poolers[mode] ?? assert.fail('The pooler does not run.')
    tests({
      skip: whyNoPooler,
      start,
      get major() {
        return inner.major
      },
      get server() {
        return inner.server
      },
      get query() {
        return running('query')
      },
      get list() {
        return running('list')
      },
      open: async (wish) => {
        const opened = await openWorld(inner.server, wish)
        for (const pooler of [running('query'), running('list')]) await pooler.freshLog()
        await freshLog(inner.server)
        return opened
      },
    })
  }
  onServers(title, whole, () => ({ tls: certificate }), edgeMajors)
}
