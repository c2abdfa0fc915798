import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { systemEnv } from '../../shared/core/env.js'
import { defaultRule, generatePassword } from '../../shared/core/password.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { scramVerifier } from '../../shared/rotators/postgres/verifier.js'
import { createRole } from '../../test/harness/pg-suite.js'
import { asSuper } from '../../test/harness/postgres-client.js'
import type { PostgresServer } from '../../test/harness/postgres-server.js'
import { adminPassword, firstPassword, PostgresWorld } from '../../test/harness/postgres-world.js'
import { CountingProxy } from './proxy.js'

export interface Compared {
  readonly strategy: string
  readonly connections: number
  readonly connectionsFloor: number
  readonly roundTrips: number
  readonly roundTripsFloor: number
  readonly bytes: number
  readonly ms: number
  readonly msFloor: number
  /** Milliseconds of a whole rotation to the floor; the goal is 1.15. */
  readonly ratio: number
}

const turns = 40
const env = systemEnv({ log: () => {} })

/** Through the proxy that counts, verified as in production. */
interface Way {
  readonly port: number
  readonly ca: string
}

interface Party {
  /** One rotation. */
  rotate(): Promise<void>
}

const strategies = ['replace by itself', 'replace by an administrator', 'alternate'] as const
export type StrategyName = (typeof strategies)[number]

/** The whole lifecycle over the memory store: what the engine adds to the target's own cost, without a disk in between. */
async function engine(server: PostgresServer, { port, ca }: Way, strategy: StrategyName, name: string): Promise<Party> {
  const pair = { 'keyturn-strategy': 'alternate', 'keyturn-pair': `${name}_a ${name}_b`, 'keyturn-admin': 'memory:admin' }
  const policy = strategy === 'alternate' ? pair : strategy === 'replace by itself' ? {} : { 'keyturn-admin': 'memory:admin' }
  const world = await PostgresWorld.open(server, {
    policy,
    value: { username: `${name}_a`, port, sslmode: 'verify-full', ca },
    adminValue: { port, sslmode: 'verify-full', ca },
  })
  return {
    rotate: async () => {
      world.skewMs += 3_600_001 // past the grace of the pair
      await world.rotate()
    },
  }
}

/** The same by hand: who changes logs in, changes, the new password logs in and asks one thing. */
export function floor({ port, ca }: Way, strategy: StrategyName, name: string): Party {
  let [user, password] = [`${name}_a`, firstPassword]
  const login = async (as: string, with_: string): Promise<pg.Client> => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: as, password: with_, database: 'postgres', ssl: { ca } })
    await client.connect()
    return client
  }
  return {
    rotate: async () => {
      const changer = strategy === 'replace by itself' ? await login(user, password) : await login('keyturn_admin', adminPassword)
      if (strategy === 'alternate') user = user.endsWith('_a') ? `${name}_b` : `${name}_a`
      password = generatePassword(defaultRule, env.random)
      const verifier = scramVerifier(new SecretText(password), randomBytes(16), 4096)
      await changer.query(`alter role ${pg.escapeIdentifier(user)} password ${pg.escapeLiteral(verifier)}`)
      await changer.end()
      const check = await login(user, password)
      await check.query('select 1')
      await check.end()
    },
  }
}

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0
const round = (value: number, digits = 2): number => Number(value.toFixed(digits))

async function counted(proxy: CountingProxy, party: Party): Promise<{ connections: number; roundTrips: number; bytes: number }> {
  await party.rotate()
  const before = { connections: proxy.connections, roundTrips: proxy.roundTrips, bytes: proxy.bytes }
  const times = 5
  for (let count = 0; count < times; count++) await party.rotate()
  const per = (key: 'connections' | 'roundTrips' | 'bytes'): number => round((proxy[key] - before[key]) / times, 1)
  return { connections: per('connections'), roundTrips: per('roundTrips'), bytes: per('bytes') }
}

async function timed(party: Party): Promise<number> {
  const from = performance.now()
  await party.rotate()
  return performance.now() - from
}

export async function compareStrategies(server: PostgresServer, ca: string): Promise<readonly Compared[]> {
  const proxy = await CountingProxy.open(server.port)
  const way = { port: proxy.port, ca }
  const found: Compared[] = []
  for (const [index, strategy] of strategies.entries()) {
    for (const name of [`bench${index}`, `floor${index}`]) {
      for (const half of ['a', 'b']) await createRole(server, `${name}_${half}`, firstPassword)
      if (strategy === 'alternate') await asSuper(server, `grant ${name}_a to ${name}_b`) // a second login that is there must act as the first
    }
    const [ours, bare] = [await engine(server, way, strategy, `bench${index}`), floor(way, strategy, `floor${index}`)]
    const [count, countFloor] = [await counted(proxy, ours), await counted(proxy, bare)]
    const [times, timesFloor]: [number[], number[]] = [[], []]
    for (let turn = 0; turn < turns; turn++) {
      times.push(await timed(ours)) // in turns, so that whatever the machine does meets both
      timesFloor.push(await timed(bare))
    }
    const [ms, msFloor] = [median(times), median(timesFloor)]
    found.push({
      strategy,
      ...count,
      connectionsFloor: countFloor.connections,
      roundTripsFloor: countFloor.roundTrips,
      ms: round(ms),
      msFloor: round(msFloor),
      ratio: round(ms / msFloor),
    })
  }
  await proxy.close()
  return found
}
