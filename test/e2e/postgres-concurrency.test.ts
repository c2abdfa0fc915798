import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { countsOn, freshLog, settledLog } from '../harness/pg-log.js'
import { createRole, edgeMajors, onServers, pendingOf } from '../harness/pg-suite.js'
import { BrokenLine } from '../harness/pg-wire.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { type PostgresServer, superPassword } from '../harness/postgres-server.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

const codeOf = (cause: unknown): string | undefined => (cause as { code?: string }).code

/** Another session that holds the row of this role until it is told to let go. */
class Blocker {
  readonly #client: pg.Client
  static async hold(server: PostgresServer, role: string): Promise<Blocker> {
    const client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'postgres', password: superPassword, ssl: false })
    await client.connect()
    await client.query(`begin; alter role ${role} connection limit 50`)
    return new Blocker(client)
  }
  private constructor(client: pg.Client) {
    this.#client = client
  }
  async end(how: 'commit' | 'rollback'): Promise<void> {
    await this.#client.query(how)
    await this.#client.end()
  }
}

const ours = async (server: PostgresServer, where: string): Promise<number> => {
  const rows = await asSuper<{ sessions: number }>(
    server,
    `select count(*)::int as sessions from pg_stat_activity where application_name = 'keyturn' and ${where}`,
  )
  return rows[0]?.sessions ?? 0
}
const until = async (what: string, met: () => Promise<boolean>): Promise<void> => {
  for (let tries = 0; !(await met()); tries++) {
    if (tries > 300) throw new Error(`Never happened: ${what}.`)
    await delay(10)
  }
}
const waiting = (server: PostgresServer, sessions = 1): Promise<void> =>
  until(`${sessions} waiting for the lock`, async () => (await ours(server, "wait_event_type = 'Lock'")) === sessions)

onServers(
  'concurrency',
  (suite) => {
    const open = async (username: string, options: Parameters<typeof PostgresWorld.open>[1] = {}) => {
      await createRole(suite.server, username, firstPassword)
      return PostgresWorld.open(suite.server, { ...options, value: { username, ...options.value } })
    }

    for (const how of ['commit', 'rollback'] as const) {
      it(`a lock that outlasts our patience, then ${how}: no zombie sets the password later, and the rotation resumes`, async () => {
        const { server } = suite
        const name = `zombie_${how}`
        const world = await open(name)
        const blocker = await Blocker.hold(server, name)
        await freshLog(server)
        const stop = new AbortController()
        const deps = { ...world.deps(), env: { ...world.env, cancelled: stop.signal } }
        const run = assert.rejects(rotate(deps, { kind: 'rotate', ref: world.ref.shown, at: world.env.now() }), (cause) => {
          assert.match(String(cause), /lock timeout.*55P03/)
          return codeOf(cause) === 'target_unreachable'
        })
        await waiting(server)
        stop.abort() // otherwise the same call is repeated, and would do what a zombie does
        await run
        assert.equal(await ours(server, 'true'), 0)
        const failed = (await pendingOf(world))?.password ?? ''
        await blocker.end(how)
        await delay(300)
        assert.ok(!(await logsIn(server, name, failed)))
        assert.ok(await logsIn(server, name, firstPassword))
        world.skewMs += 120_000 // the lease of the one that was stopped
        assert.equal((await world.rotate()).outcome, 'published')
        assert.equal((await world.current()).password, failed)
        assert.ok(await logsIn(server, name, failed))
      })
    }

    it('a lock that is given back in time: the same invocation repeats the call and publishes', async () => {
      const { server } = suite
      const world = await open('patient')
      const blocker = await Blocker.hold(server, 'patient')
      await freshLog(server)
      const run = world.rotate()
      await until('the lock timeout', async () => server.log.includes('due to lock timeout'))
      await blocker.end('rollback')
      assert.equal((await run).outcome, 'published')
      assert.deepEqual(await countsOn(server), { connections: 3, accepted: 3, refused: 0 })
      assert.ok(await logsIn(server, 'patient', (await world.current()).password ?? ''))
    })

    it('the client vanishes while ALTER waits: the server drops it, nothing is set later', async () => {
      const { server } = suite
      const line = await BrokenLine.open(server.port, () => 'never')
      const world = await open('vanished', { value: { port: line.port } })
      const blocker = await Blocker.hold(server, 'vanished')
      const run = assert.rejects(world.rotate(), (cause) => codeOf(cause) === 'target_unreachable')
      await waiting(server)
      await line.close()
      await run
      await until('the session is gone', async () => (await ours(server, 'true')) === 0)
      await blocker.end('rollback')
      await delay(200)
      const failed = (await pendingOf(world))?.password ?? ''
      assert.ok(failed !== '' && !(await logsIn(server, 'vanished', failed)))
      assert.ok(await logsIn(server, 'vanished', firstPassword))
    })

    it('tuple concurrently updated: the state is read again, and the same invocation publishes', async () => {
      const { server } = suite
      const world = await open('tuple')
      const blocker = await Blocker.hold(server, 'tuple')
      await freshLog(server)
      const run = world.rotate()
      await waiting(server)
      const staged = await pendingOf(world)
      await blocker.end('commit')
      assert.equal((await run).outcome, 'published')
      assert.match(await settledLog(server), /ERROR: {2}tuple concurrently updated/)
      assert.deepEqual(await countsOn(server), { connections: 3, accepted: 3, refused: 0 })
      assert.equal((await world.current()).password, staged?.password)
      assert.ok(await logsIn(server, 'tuple', staged?.password ?? ''))
    })

    it('five invocations at once on one secret: one publishes, the others step back', async () => {
      const { server } = suite
      const world = await open('crowd')
      const results = await Promise.allSettled(Array.from({ length: 5 }, () => world.rotate()))
      const failures = results.flatMap((result) => (result.status === 'rejected' ? [codeOf(result.reason)] : []))
      assert.ok(
        failures.every((code) => code === 'locked' || code === 'conflict'),
        failures.join(),
      )
      assert.ok(results.some((result) => result.status === 'fulfilled' && result.value.outcome === 'published'))
      const history: string[] = []
      for await (const { id } of world.store.history(world.ref)) history.push(id)
      assert.equal(history.length, 2)
      assert.ok(await logsIn(server, 'crowd', (await world.current()).password ?? ''))
    })

    it('a second invocation takes over while the first one waits in the server: both set the same value', async () => {
      const { server } = suite
      const world = await open('takeover')
      const blocker = await Blocker.hold(server, 'takeover')
      const first = world.rotate()
      await waiting(server)
      const staged = await pendingOf(world)
      world.skewMs += 120_000
      const second = world.rotate()
      await waiting(server, 2)
      await blocker.end('rollback')
      const results = await Promise.allSettled([first, second])
      assert.ok(results.some((result) => result.status === 'fulfilled' && result.value.outcome === 'published'))
      const state = await world.store.describe(world.ref)
      assert.equal(state.journal?.code, undefined)
      assert.equal((await world.current()).password, staged?.password)
      assert.ok(await logsIn(server, 'takeover', staged?.password ?? ''))
    })

    it('one account in two stores, rotated at once: the password that works is never thrown away', async () => {
      const { server } = suite
      for (const policy of [{}, { 'keyturn-admin': 'memory:admin' }]) {
        for (let turn = 0; turn < 5; turn++) {
          const name = `shared_${Object.keys(policy).length}_${turn}`
          const worlds = [await open(name, { policy }), await PostgresWorld.open(server, { policy, value: { username: name } })]
          await freshLog(server)
          await Promise.allSettled(worlds.map((world) => world.rotate()))
          // Each credential of each store: current, pending, and previous where there is one.
          assert.ok((await countsOn(server)).refused <= 6)
          const kept: string[] = []
          for (const world of worlds) kept.push((await world.current()).password ?? '', (await pendingOf(world))?.password ?? '')
          const works = await Promise.all(kept.filter((password) => password !== '').map((password) => logsIn(server, name, password)))
          assert.ok(works.includes(true), `nobody knows the password of ${name}`)
        }
      }
    })
  },
  () => ({ settings: { log_lock_waits: 'on' } }),
  edgeMajors,
)
