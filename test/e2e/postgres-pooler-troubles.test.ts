import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { it } from 'node:test'
import { SecretText } from '../../shared/core/secret-text.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { scramVerifier } from '../../shared/rotators/postgres/verifier.js'
import { Crash } from '../harness/faults.js'
import { Authority } from '../harness/pg-certificates.js'
import { direct } from '../harness/pg-direct.js'
import { countsOn } from '../harness/pg-log.js'
import { pendingOf, published } from '../harness/pg-suite.js'
import { clientThrough } from '../harness/pgbouncer.js'
import { fails, onPoolers, placesOf, ssl, through } from '../harness/pooler-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword, type PostgresWorld } from '../harness/postgres-world.js'

const readable = async (world: PostgresWorld): Promise<unknown> => published(await world.store.describe(world.ref))
const passwordOf = async (world: PostgresWorld): Promise<string> => (await pendingOf(world))?.password ?? assert.fail('nothing is staged')

onPoolers('troubles with poolers', (suite) => {
  const { skip } = suite

  it('a verifier of the same password with another salt lets clients in and leads nowhere: that is said', { skip }, async () => {
    const { list } = suite
    const { server, world, first } = await suite.open({ strategy: 'replace', policy: { 'keyturn-endpoints': placesOf(list) } })
    await fails(world.rotate(), 'target_denied')
    const password = await passwordOf(world)
    await list.writeEntries([[first, scramVerifier(new SecretText(password), randomBytes(16), 4096)]])
    await list.reload()
    await list.freshLog()
    await fails(world.rotate(), 'target_denied', /refuses what the pooler .* logs in with/, /another salt/)
    assert.deepEqual(await list.attempts(), { [first]: 1 })
    assert.ok(await logsIn(server, first, password))
    assert.equal(await passwordOf(world), password)
  })

  it('a pool without a free connection is said after a while, and waited for', { skip }, async () => {
    const pooler = await suite.start({ mode: 'query', settings: { default_pool_size: '1' } })
    const { world, second } = await suite.open({ strategy: 'alternate', policy: { 'keyturn-endpoints': placesOf(pooler) } })
    await asSuper(suite.server, `alter role ${second} password '${firstPassword}'`)
    const busy = clientThrough(pooler.port, second, firstPassword, ssl)
    await busy.connect()
    await busy.query('begin')
    const { rotator, context, parse } = await direct(world)
    const verifies = rotator.verify(context, parse({ username: second }))
    await fails(verifies, 'target_unreachable', /let own\d+_b in, and its session does not answer/, /no free connection/)
    const rotates = world.rotate()
    await pooler.says(new RegExp(`(login attempt: db=postgres user=${second}[^]*){3}`))
    await busy.query('rollback')
    assert.equal((await rotates).outcome, 'published')
    await busy.end()
    await pooler.stop()
  })

  it('a login that auth_query does not find has its own words', { skip }, async () => {
    const auth_query = "select rolname, rolpassword from pg_authid where rolname = $1 and rolname not like '%_b'"
    const pooler = await suite.start({ mode: 'query', settings: { auth_query } })
    const { world, second } = await suite.open({ strategy: 'alternate', policy: { 'keyturn-endpoints': placesOf(pooler) } })
    await fails(world.rotate(), 'target_denied', /does not know that login: no such user/, new RegExp(`auth_query find ${second}`))
    assert.equal((await pendingOf(world))?.username, second)
    await pooler.stop()
  })

  it('a pooler that waits before it tries the server again is a reason to come back', { skip }, async () => {
    const { query } = suite
    const { server, world, first } = await suite.open({ strategy: 'replace', policy: { 'keyturn-endpoints': placesOf(query) } })
    const consumer = clientThrough(query.port, first, firstPassword, ssl)
    await consumer.connect()
    await consumer.query('select 1')
    for (const step of ['create', 'set'] as const) await world.rotate({ step })
    await asSuper(server, `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${first}'`)
    await query.says(/S-.*closing because/) // a question before that would be cut off with the session
    const asks = assert.rejects(consumer.query('select 1')) // the pooler now logs in with the password of before, and the server refuses it
    await query.says(new RegExp(`password authentication failed for user "${first}"`))
    await fails(world.rotate({ kind: 'resume' }), 'target_unreachable', /server_login_retry/, /--resume/)
    await consumer.end()
    await asks
    assert.ok(await logsIn(server, first, await passwordOf(world)))
  })

  it('verifies the certificate of a pooler, and answers none that does not ask by SCRAM', { skip }, async () => {
    const plain = `md5${createHash('md5').update(`${firstPassword}plain`).digest('hex')}`
    for (const [code, tls, auth_type] of [
      ['target_tls', new Authority().issue(['IP:127.0.0.1']), 'scram-sha-256'],
      ['password_not_checked', undefined, 'any'],
      ['password_not_checked', undefined, 'plain'],
      ['password_not_checked', undefined, 'md5'],
    ] as const) {
      const database = auth_type === 'any' ? `user=plain password='${firstPassword}'` : ''
      const pooler = await suite.start({ mode: 'list', ...(tls ? { tls } : {}), settings: { auth_type }, database })
      const { world, second } = await suite.open({ strategy: 'alternate', policy: { 'keyturn-endpoints': placesOf(pooler) } })
      await pooler.writeEntries([[second, plain]])
      await pooler.reload()
      const before = await readable(world)
      const words = code === 'target_tls' ? /ca/ : /auth_type = scram-sha-256/
      await fails(world.rotate(), code, new RegExp(placesOf(pooler)), words)
      assert.deepEqual(await readable(world), before)
      await pooler.stop()
    }
  })

  it('names a session that is somebody else', { skip }, async () => {
    const pooler = await suite.start({ mode: 'list', database: `user=plain password='${firstPassword}'` })
    const endpoints = placesOf(pooler)
    const { world, second } = await suite.open({ strategy: 'alternate', policy: { 'keyturn-endpoints': endpoints } })
    await fails(world.rotate(), 'target_denied')
    const entries = [[second, await passwordOf(world)] as const, ['plain', firstPassword] as const]
    await pooler.writeEntries(entries)
    await pooler.reload()
    await fails(world.rotate(), 'verify_failed', new RegExp(`session_user through ${endpoints}: outgoing ${second}, incoming plain`))
    await pooler.stop()
  })

  it('names a session that does not act as the owner, because another client left it like that', { skip }, async () => {
    const pooler = await suite.start({ mode: 'query', settings: { default_pool_size: '1' } })
    const { world, second } = await suite.open({ strategy: 'alternate', policy: { 'keyturn-endpoints': placesOf(pooler) } })
    await asSuper(suite.server, `alter role ${second} password '${firstPassword}'`)
    const client = clientThrough(pooler.port, second, firstPassword, ssl)
    await client.connect()
    await client.query('set role none')
    await client.end()
    const words = new RegExp(`current_user through ${placesOf(pooler)}: outgoing app_owner, incoming ${second}`)
    await fails(world.rotate(), 'verify_failed', words)
    await pooler.stop()
  })

  it('reads no PGOPTIONS and no PGREPLICATION for a pooler, which would refuse both', { skip }, async () => {
    const { query } = suite
    const { world } = await suite.open({ strategy: 'replace', policy: { 'keyturn-endpoints': placesOf(query) } })
    process.env.PGOPTIONS = '-c role=app_owner'
    process.env.PGREPLICATION = 'database'
    try {
      assert.equal((await world.rotate()).outcome, 'published')
    } finally {
      delete process.env.PGOPTIONS
      delete process.env.PGREPLICATION
    }
  })

  it('goes on after a crash between two endpoints: one login for each, and the same value', { skip }, async () => {
    const { query } = suite
    const other = await suite.start({ mode: 'query' })
    const policy = { 'keyturn-endpoints': placesOf(query, other) }
    const { server, world, second } = await suite.open({ strategy: 'alternate', policy })
    const deps = world.deps()
    const dying: Deps = {
      ...deps,
      loadRotator: async (kind) => {
        const rotator = await deps.loadRotator(kind)
        const verify: typeof rotator.verify = async (context, pending) => {
          const first = { ...context, policy: { ...context.policy, 'keyturn-endpoints': placesOf(query) } }
          await rotator.verify(first, pending)
          throw new Crash()
        }
        return { ...rotator, verify }
      },
    }
    await assert.rejects(rotate(dying, { kind: 'rotate', ref: world.ref.shown, at: world.env.now() }))
    assert.deepEqual([await query.attempts(), await other.attempts()], [{ [second]: 1 }, {}])
    const staged = await pendingOf(world)
    world.skewMs += 3600_000
    await query.freshLog()
    assert.equal((await world.rotate()).outcome, 'published')
    assert.deepEqual([await query.attempts(), await other.attempts()], [{ [second]: 1 }, { [second]: 1 }])
    assert.equal((await world.current()).password, staged?.password)
    assert.equal((await countsOn(server)).refused, 0)
    assert.equal(await through(other, second, staged?.password ?? ''), 'in')
    await other.stop()
  })
})
