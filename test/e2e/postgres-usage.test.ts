import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { CredentialId } from '../../shared/core/ports/words.js'
import { direct } from '../harness/pg-direct.js'
import { countsOn, freshLog, settledLog } from '../harness/pg-log.js'
import { createRole, onServers } from '../harness/pg-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { adminPassword, firstPassword, PostgresWorld, type PostgresWorldOptions } from '../harness/postgres-world.js'

const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected
const id = (name: string): CredentialId => name as CredentialId

onServers(
  'usage and retiring',
  (suite) => {
    /** Somebody who uses the database as this login. */
    const consumer = async (user: string, application: string, password = firstPassword): Promise<pg.Client> => {
      const client = new pg.Client({
        host: '127.0.0.1',
        port: suite.server.port,
        user,
        password,
        database: 'postgres',
        ssl: false,
        application_name: application,
      })
      client.on('error', () => undefined)
      await client.connect()
      return client
    }
    const gone = async (user: string): Promise<void> => {
      const left = async () => (await asSuper(suite.server, 'select from pg_stat_activity where usename = $1', [user])).length
      for (let tries = 0; (await left()) > 0 && tries < 300; tries++) await delay(10)
    }
    const open = async (username: string, options: PostgresWorldOptions = {}) => {
      await createRole(suite.server, username, firstPassword)
      return PostgresWorld.open(suite.server, { ...options, value: { username, ...options.value } })
    }
    const openPair = async (a: string, b: string, options: PostgresWorldOptions = {}) => {
      await createRole(suite.server, b, firstPassword)
      const policy = {
        'keyturn-strategy': 'alternate',
        'keyturn-pair': `${a} ${b}`,
        'keyturn-admin': 'memory:admin',
        'keyturn-grace': '1s',
      }
      const world = await open(a, { policy, ...options })
      await asSuper(suite.server, `grant ${a} to ${b}`)
      return world
    }

    it('one account, looked at by itself: counts sessions and says from where', async () => {
      const world = await open('used')
      const { rotator, context } = await direct(world)
      const none = await rotator.usage(context, id('used'))
      assert.deepEqual(none, { inUse: false, evidence: '0 sessions' })
      const consumers = [await consumer('used', 'web'), await consumer('used', 'worker')]
      const used = await rotator.usage(context, id('used'))
      assert.equal(used.inUse, true)
      assert.match(used.evidence, /^2 sessions from .*127\.0\.0\.1 web/)
      assert.match(used.evidence, /127\.0\.0\.1 worker/)
      assert.ok(Math.abs((used.lastUsedAt ?? 0) - world.env.now()) < 60_000)
      await Promise.all(consumers.map((client) => client.end()))
      await gone('used')
      assert.equal((await rotator.usage(context, id('used'))).inUse, false)
    })

    it('our own sessions do not count, also those of an administrator who looks', async () => {
      const world = await openPair('own_a', 'own_b')
      const { rotator, context } = await direct(world)
      const one = await consumer('own_a', 'keyturn')
      assert.equal((await rotator.usage(context, id('own_a'))).inUse, false)
      await one.end()
    })

    it('a pair, looked at by an administrator who sees nothing of others: the number is enough', async () => {
      const world = await openPair('seen_a', 'seen_b')
      const { rotator, context } = await direct(world)
      const consumers = [await consumer('seen_b', 'web'), await consumer('seen_b', 'web')]
      const used = await rotator.usage(context, id('seen_b'))
      assert.equal(used.inUse, true)
      assert.match(used.evidence, /^2 sessions/)
      assert.equal((await rotator.usage(context, id('seen_a'))).inUse, false)
      await Promise.all(consumers.map((client) => client.end()))
    })

    it('one account, looked at by an administrator who sees nothing of others: unknown, with the grant that helps', async () => {
      const { server } = suite
      const world = await open('hidden', { policy: { 'keyturn-admin': 'memory:admin' } })
      const { rotator, context } = await direct(world)
      const client = await consumer('hidden', 'web')
      const blind = await rotator.usage(context, id('hidden'))
      assert.equal(blind.inUse, 'unknown')
      assert.match(blind.evidence, /keyturn_admin.*pg_read_all_stats/)
      await asSuper(server, 'grant pg_read_all_stats to keyturn_admin')
      try {
        const seeing = await rotator.usage(context, id('hidden'))
        assert.equal(seeing.inUse, true)
        assert.match(seeing.evidence, /^1 session from 127\.0\.0\.1 web/)
      } finally {
        await asSuper(server, 'revoke pg_read_all_stats from keyturn_admin')
      }
      await client.end()
      await gone('hidden')
      assert.equal((await rotator.usage(context, id('hidden'))).inUse, false)
    })

    it('a login that was never there is not in use', async () => {
      const { rotator, context } = await direct(await openPair('there_a', 'there_b'))
      assert.equal((await rotator.usage(context, id('never there'))).inUse, false)
    })

    it('looking needs one connection, and is not repeated when refused', async () => {
      const world = await open('refused_look', { value: { password: 'wrong-Password-0123456789-abcdef' } })
      const { rotator, context } = await direct(world)
      await freshLog(suite.server)
      for (let turn = 0; turn < 3; turn++) await assert.rejects(rotator.usage(context, id('refused_look')), code('target_auth'))
      assert.deepEqual(await countsOn(suite.server), { connections: 1, accepted: 0, refused: 1 })
    })

    it('retire: the outgoing login can log in in no way any more, its open sessions go on, the current one is untouched', async () => {
      const { server } = suite
      const world = await openPair('old_a', 'new_b')
      const session = await consumer('old_a', 'web')
      await world.rotate()
      const { username = '', password = '' } = await world.current()
      assert.equal(username, 'new_b')
      const { rotator, context } = await direct(world)
      await freshLog(server)
      assert.deepEqual(await rotator.retire(context, id('old_a')), { done: true })
      assert.deepEqual(await countsOn(server), { connections: 1, accepted: 1, refused: 0 })
      const rows = await asSuper<{ rolpassword: string | null; rolcanlogin: boolean }>(
        server,
        "select rolpassword, rolcanlogin from pg_authid where rolname = 'old_a'",
      )
      assert.deepEqual(rows, [{ rolpassword: null, rolcanlogin: false }])
      assert.ok(!(await logsIn(server, 'old_a', firstPassword)))
      assert.ok(await logsIn(server, 'new_b', password))
      assert.equal((await session.query<{ one: number }>('select 1 as one')).rows[0]?.one, 1)
      await session.end()
      assert.deepEqual(await rotator.retire(context, id('old_a')), { done: true })
      world.skewMs += 3_600_000
      await world.rotate()
      const back = await world.current()
      assert.equal(back.username, 'old_a')
      assert.ok(await logsIn(server, 'old_a', back.password ?? ''))
    })

    it('retire of the current login is refused before any connection', async () => {
      const world = await openPair('keep_a', 'keep_b')
      const { rotator, context } = await direct(world)
      await freshLog(suite.server)
      await assert.rejects(rotator.retire(context, id('keep_a')))
      assert.equal((await countsOn(suite.server)).connections, 0)
      assert.ok(await logsIn(suite.server, 'keep_a', firstPassword))
    })

    it('retire of a login that somebody dropped is done', async () => {
      const { server } = suite
      const world = await openPair('stay', 'dropped')
      const { rotator, context } = await direct(world)
      await asSuper(server, 'drop role dropped')
      assert.deepEqual(await rotator.retire(context, id('dropped')), { done: true })
    })

    it('retire of one account has nothing to do, and touches nothing', async () => {
      const world = await open('single')
      const { rotator, context } = await direct(world)
      await freshLog(suite.server)
      assert.deepEqual(await rotator.retire(context, id('single')), { done: true })
      assert.equal((await countsOn(suite.server)).connections, 0)
    })

    it('rollback publishes the previous login again while it is accepted, and sets nothing', async () => {
      const { server } = suite
      const world = await openPair('roll_a', 'roll_b')
      await world.rotate()
      await freshLog(server)
      assert.equal((await world.rotate({ kind: 'rollback' })).outcome, 'published')
      assert.ok(!(await settledLog(server)).includes('ALTER ROLE'))
      const { username, password } = await world.current()
      assert.deepEqual({ username, password }, { username: 'roll_a', password: firstPassword })
    })

    it('rollback of one account sets the old password again', async () => {
      const { server } = suite
      const world = await open('roll_one')
      await world.rotate()
      world.skewMs += 1000
      assert.equal((await world.rotate({ kind: 'rollback' })).outcome, 'published')
      assert.equal((await world.current()).password, firstPassword)
      assert.ok(await logsIn(server, 'roll_one', firstPassword))
    })

    it('the administrator of the tests is still the one it was', async () => {
      assert.ok(await logsIn(suite.server, 'keyturn_admin', adminPassword))
    })
  },
  () => ({ settings: { log_statement: 'all' } }),
)
