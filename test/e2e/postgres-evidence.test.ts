import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Token } from '../../shared/core/ports/words.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { revoke } from '../../shared/lifecycle/retirement/revoke.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { createRole, edgeMajors, onServers } from '../harness/pg-suite.js'
import { asSuper, loginsIn, logsIn } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

onServers(
  'what a server says of an outgoing login',
  (suite) => {
    let pairs = 0
    /** A pair of its own for each test, with a grace of one second. */
    const openPair = async (policy: Readonly<Record<string, string>> = {}) => {
      const [a, b] = [`ev${++pairs}_a`, `ev${pairs}_b`]
      for (const name of [a, b]) await createRole(suite.server, name, firstPassword)
      await asSuper(suite.server, `grant ${a} to ${b}`)
      const pair = { 'keyturn-strategy': 'alternate', 'keyturn-pair': `${a} ${b}`, 'keyturn-admin': 'memory:admin', 'keyturn-grace': '1s' }
      const world = await PostgresWorld.open(suite.server, { policy: { ...pair, ...policy }, value: { username: a } })
      return { world, a, b }
    }
    const session = async (user: string): Promise<pg.Client> => {
      const { port } = suite.server
      const client = new pg.Client({ host: '127.0.0.1', port, user, password: firstPassword, database: 'postgres', ssl: false })
      client.on('error', () => undefined)
      await client.connect()
      return client
    }
    const look = async (world: PostgresWorld) => (await retirePass(world.deps(), world.ref.shown)).entries
    const publish = async (world: PostgresWorld): Promise<void> => {
      await world.rotate()
      assert.equal((await announce(world.deps(), world.ref.shown)).outcome, 'announced')
    }

    it('lasting sessions that were seen and then end are evidence: retired one grace later', async () => {
      const { world, a } = await openPair()
      const pool = [await session(a), await session(a)]
      await delay(1100)
      await publish(world)
      const [used] = await look(world)
      assert.deepEqual([used?.state, /2 sessions/.test(used?.why ?? '')], ['waiting', true])
      await Promise.all(pool.map((client) => client.end()))
      await delay(200)
      assert.equal((await look(world))[0]?.state, 'waiting')
      await delay(1100)
      assert.equal((await look(world))[0]?.state, 'retired')
      assert.ok(!(await logsIn(suite.server, a, firstPassword)))
      assert.deepEqual(await look(world), [])
    })

    it('a stale client that logs in every 100 ms with the outgoing password is never cut off by absence', async () => {
      const { world, a } = await openPair()
      await publish(world)
      let [stopped, refused, logins] = [false, 0, 0]
      const stale = (async () => {
        while (!stopped) {
          if (await logsIn(suite.server, a, firstPassword)) logins++
          else refused++
          await delay(100)
        }
      })()
      const states: string[] = []
      for (let count = 0; count < 16; count++) {
        states.push((await look(world))[0]?.state ?? 'none')
        await delay(250)
      }
      stopped = true
      await stale
      assert.equal(refused, 0)
      assert.ok(logins > 10)
      assert.ok(!states.includes('retired') && !states.includes('armed'), states.join())
    })

    it('nobody seen at all: not armed, however long; its slot may be used again after grace', async () => {
      const { world, a, b } = await openPair()
      await publish(world)
      world.skewMs += 30 * 86_400_000
      const [entry] = await look(world)
      assert.equal(entry?.state, 'undeclared')
      assert.match(entry?.why ?? '', /not armed/)
      assert.ok(await logsIn(suite.server, a, firstPassword))
      await publish(world)
      assert.equal((await world.current()).username, a)
      assert.deepEqual(
        (await world.store.describe(world.ref)).journal?.retiring.map(({ id }) => id),
        [b],
      )
    })

    it('in use holds the next rotation by name, for ever', async () => {
      const { world, a } = await openPair()
      const client = await session(a)
      await delay(1100)
      await publish(world)
      world.skewMs += 86_400_000
      assert.equal((await look(world))[0]?.state, 'waiting')
      await assert.rejects(world.rotate(), (cause: Error) => cause.message.includes(a) && (cause as { code?: string }).code === 'held')
      await client.end()
    })

    it('keyturn-sessions: end, where the administrator may: password first, then the sessions; keep leaves them', async () => {
      await asSuper(suite.server, 'grant pg_signal_backend to keyturn_admin')
      for (const [sessions, alive] of [
        ['end', 0],
        ['keep', 1],
      ] as const) {
        const { world, a } = await openPair({ 'keyturn-sessions': sessions, 'keyturn-drain': 'force after 1s' })
        const client = await session(a)
        await delay(1100)
        await publish(world)
        world.skewMs += 5000
        assert.equal((await look(world))[0]?.state, 'retired')
        await delay(200)
        const [{ count } = { count: -1 }] = await asSuper<{ count: number }>(
          suite.server,
          'select count(*)::int as count from pg_stat_activity where usename = $1',
          [a],
        )
        assert.equal(count, alive, sessions)
        assert.ok(!(await logsIn(suite.server, a, firstPassword)))
        assert.ok(world.everythingWritten().includes('keyturn-drain: force'), 'the audit log says that it was by force')
        await client.end().catch(() => undefined)
      }
    })

    it('revoke --now: the previous login and its sessions, at once, with the reason in the audit log', async () => {
      await asSuper(suite.server, 'grant pg_signal_backend to keyturn_admin')
      const { world, a } = await openPair()
      const client = await session(a)
      await publish(world)
      const { id, state } = await revoke(world.deps(), world.ref.shown, 'it stands in a ticket')
      assert.deepEqual([id, state], [a, 'retired'])
      await delay(200)
      await assert.rejects(client.query('select 1'))
      assert.ok(!(await logsIn(suite.server, a, firstPassword)))
      assert.match(world.everythingWritten(), /revoked: it stands in a ticket/)
      await assert.rejects(world.rotate({ kind: 'rollback' }), { code: 'bad_event' })
    })

    it('one login: revoke ends the sessions that hold the outgoing password, and no other', async () => {
      const name = `ev_one_${suite.major}`
      await createRole(suite.server, name, firstPassword)
      const world = await PostgresWorld.open(suite.server, { value: { username: name } })
      const old = await session(name)
      await delay(50)
      await publish(world)
      const { password = '' } = await world.current()
      const { port } = suite.server
      const fresh = new pg.Client({ host: '127.0.0.1', port, user: name, password, database: 'postgres', ssl: false })
      await fresh.connect()
      await revoke(world.deps(), world.ref.shown, 'a laptop is gone')
      await assert.rejects(old.query('select 1'))
      assert.equal((await fresh.query('select 1 as one')).rowCount, 1)
      await fresh.end()
    })

    it('the usual advice, stripped of its lockout: the pending mark is taken away after the change, and recover finds the value', async () => {
      const name = `ev_strip_${suite.major}`
      await createRole(suite.server, name, firstPassword)
      const world = await PostgresWorld.open(suite.server, { value: { username: name } })
      for (const step of ['create', 'set'] as const) await world.rotate({ step })
      world.store.stripPending(world.ref)
      world.skewMs += 3_600_000
      await world.rotate({ kind: 'resume' }).catch(() => undefined)
      const found = await recover(world.deps(), world.store, world.ref.shown, true)
      assert.ok(found.action.do !== 'by hand', found.action.why)
      await world.rotate({ kind: 'resume' })
      const { username = '', password = '' } = await world.current()
      assert.ok(await logsIn(suite.server, username, password), 'the stored value is refused')
    })

    it('the pending mark is taken away after the change, and a new rotation is asked for: the journal knows the value, and it is published', async () => {
      const name = `ev_anew_${suite.major}`
      await createRole(suite.server, name, firstPassword)
      const world = await PostgresWorld.open(suite.server, { value: { username: name } })
      for (const step of ['create', 'set'] as const) await world.rotate({ step })
      world.store.stripPending(world.ref)
      world.skewMs += 3_600_000
      suite.server.clearLog()
      const [stripped] = (await world.store.describe(world.ref)).loose
      assert.ok(stripped)
      const set = (await world.store.read(world.ref, stripped.id)).reveal()
      assert.equal((await world.rotate({ token: 'another-token-0123456789-0123456789' as Token })).outcome, 'published')
      assert.ok(loginsIn(suite.server.log).refused <= 1, 'no storm of logins')
      const { username = '', password = '' } = await world.current()
      assert.equal(password, (JSON.parse(set) as { password: string }).password, 'what was set and lost its mark is current')
      assert.ok(await logsIn(suite.server, username, password))
      world.skewMs += 3_600_000
      assert.equal((await world.rotate({ kind: 'rotate' })).outcome, 'published')
    })

    it('the same with an administrator: the new rotation itself heals it', async () => {
      const name = `ev_healed_${suite.major}`
      await createRole(suite.server, name, firstPassword)
      const world = await PostgresWorld.open(suite.server, { value: { username: name }, policy: { 'keyturn-admin': 'memory:admin' } })
      for (const step of ['create', 'set'] as const) await world.rotate({ step })
      world.store.stripPending(world.ref)
      world.skewMs += 3_600_000
      assert.equal((await world.rotate({ token: 'another-token-0123456789-0123456789' as Token })).outcome, 'published')
      const { username = '', password = '' } = await world.current()
      assert.ok(await logsIn(suite.server, username, password))
    })

    it('the password was changed at the server: stuck, nothing works, recover says what a person must do; set again, it is all well', async () => {
      const name = `ev_wrong_${suite.major}`
      await createRole(suite.server, name, firstPassword)
      const world = await PostgresWorld.open(suite.server, { value: { username: name } })
      await asSuper(suite.server, `alter role ${name} password 'Changed-by-hand-0123456789'`)
      await assert.rejects(world.rotate(), { code: 'stuck' })
      const bad = await recover(world.deps(), world.store, world.ref.shown, true)
      assert.deepEqual([bad.action.do, bad.done, bad.tried.every(({ works }) => works === 'refused')], ['by hand', false, true])
      await asSuper(suite.server, `alter role ${name} password '${firstPassword}'`)
      const good = await recover(world.deps(), world.store, world.ref.shown, true)
      assert.deepEqual([good.action.do, good.done], ['unstick', true])
      assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
    })
  },
  () => ({}),
  edgeMajors,
)
