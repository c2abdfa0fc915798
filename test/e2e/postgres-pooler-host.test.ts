import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { RotationError } from '../../shared/core/errors.js'
import type { CredentialId } from '../../shared/core/ports/words.js'
import { adopt, changePolicy, verifyCurrent } from '../../shared/lifecycle/secret/adopt.js'
import { direct } from '../harness/pg-direct.js'
import { countsOn } from '../harness/pg-log.js'
import { clientThrough, type Pooler } from '../harness/pgbouncer.js'
import { fails, onPoolers, placesOf, ssl, through } from '../harness/pooler-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword } from '../harness/postgres-world.js'

onPoolers('a pooler in place of the server', (suite) => {
  const { skip } = suite
  const inField =
    (field: string, ...words: readonly RegExp[]) =>
    (cause: RotationError) => {
      assert.equal(cause.field, field)
      for (const word of words) assert.match(`${cause.message} ${cause.next}`, word)
      return true
    }
  const refusesHost = (pooler: Pooler) =>
    inField('host', /pooler answers/, new RegExp(`keyturn-endpoints=${placesOf(pooler)}`), /keyturn-server/)
  const admin = { 'keyturn-admin': 'memory:admin' }

  for (const [name, settings] of [
    ['as Debian sets it up', {}],
    ['that ignores the options of a login', { ignore_startup_parameters: 'options,replication' }],
  ] as const) {
    it(`nothing is set through a pooler ${name}, and the field is named`, { skip }, async () => {
      const pooler = await suite.start({ mode: 'query', settings })
      for (const [strategy, policy] of [
        ['replace', {}],
        ['replace', admin],
        ['alternate', {}],
      ] as const) {
        const value = { port: pooler.port }
        const { server, world, first, second } = await suite.open({ strategy, policy, value, adminValue: value })
        for (let again = 0; again < 2; again++) await assert.rejects(world.rotate(), refusesHost(pooler))
        await assert.rejects(verifyCurrent(world.deps(), world.ref.shown), refusesHost(pooler))
        await assert.rejects(adopt(world.deps(), world.store, world.ref.shown, {}), refusesHost(pooler))
        for (const user of [first, second]) assert.ok(await logsIn(server, user, firstPassword))
        assert.equal((await world.current()).password, firstPassword)
      }
      await pooler.stop()
    })
  }

  it('what a pooler refuses is no word of the server, so nothing can be thrown away for it', { skip }, async () => {
    const pooler = await suite.start({ mode: 'list', settings: { ignore_startup_parameters: 'options,replication' } })
    const { server, world, first } = await suite.open({ strategy: 'replace' })
    for (const step of ['create', 'set'] as const) await world.rotate({ step })
    const before = (await world.store.describe(world.ref)).pending?.id
    // The same database from now on behind a pooler that has the old password: it takes current, and refuses pending.
    const { password = '' } = JSON.parse((await world.store.read(world.ref, before ?? assert.fail())).reveal()) as { password?: string }
    await asSuper(server, `alter role ${first} password '${firstPassword}'`)
    await pooler.writeList([first])
    await pooler.reload()
    await asSuper(server, `alter role ${first} password '${password}'`)
    const { rotator, context, parse } = await direct(world)
    const value = parse({ password, port: pooler.port })
    await assert.rejects(rotator.accepted(context, value), refusesHost(pooler))
    await assert.rejects(rotator.verify(context, value), refusesHost(pooler))
    assert.deepEqual(await pooler.attempts(), { [first]: 2 })
    await pooler.stop()
  })

  it('server: what consumers read stays, the server is set, and the pooler is tested', { skip }, async () => {
    const { query } = suite
    const server_ = `127.0.0.1:${suite.server.port}`
    for (const [strategy, policy] of [
      ['replace', {}],
      ['replace', admin],
      ['alternate', {}],
    ] as const) {
      const value = { port: query.port }
      const { server, world, second } = await suite.open({ strategy, policy: { ...policy, 'keyturn-server': server_ }, value })
      assert.equal((await verifyCurrent(world.deps(), world.ref.shown)).logsIn, true)
      await query.freshLog()
      assert.equal((await world.rotate()).outcome, 'published')
      assert.deepEqual(await query.attempts(), { [second]: 1 })
      const { port, username = '', password = '' } = await world.current()
      assert.deepEqual({ port, username }, { port: query.port, username: second })
      assert.ok(await logsIn(server, username, password))
      assert.equal(await through(query, username, password), 'in')
    }
  })

  it('server: a pooler there is refused under its own name', { skip }, async () => {
    const { query, list } = suite
    const { world } = await suite.open({
      strategy: 'replace',
      policy: { 'keyturn-server': placesOf(query) },
      value: { port: list.port },
    })
    await assert.rejects(world.rotate(), inField('keyturn-server', /pooler answers/))
  })

  it('a pending value for another pooler is refused', { skip }, async () => {
    const { query, list } = suite
    const policy = { 'keyturn-server': `127.0.0.1:${suite.server.port}` }
    const { world } = await suite.open({ strategy: 'replace', policy, value: { port: query.port } })
    const { rotator, context, parse } = await direct(world)
    assert.throws(() => rotator.check(context, parse({ port: list.port })), inField('host', /another place/))
  })

  it('places that contradict one another are refused before anything is claimed', { skip }, async () => {
    const { query } = suite
    const { world } = await suite.open({ strategy: 'replace' })
    const own = `127.0.0.1:${suite.server.port}`
    for (const [key, value, words] of [
      ['endpoints', `${placesOf(query)} ${own}`, /which is the server/],
      ['server', own, /as the value does/],
      ['endpoints', `${placesOf(query)} ${placesOf(query)}`, /one place twice/],
      ['endpoints', 'pool.internal:0', /host or host:port/],
      ['endpoints', 'user@pool.internal', /host or host:port/],
      ['endpoints', 'app.proxy-abc123.eu-central-1.rds.amazonaws.com', /RDS Proxy/],
      ['server', 'one two', /one host or host:port/],
    ] as const) {
      const change = changePolicy(world.deps(), world.store, world.ref.shown, { [`keyturn-${key}`]: value })
      await assert.rejects(change, inField(`keyturn-${key}`, words))
      assert.equal((await world.store.describe(world.ref)).policy[`keyturn-${key}`], undefined)
    }
  })

  it('adopt and verify log in through each endpoint once, and say who refused', { skip }, async () => {
    const { list, query } = suite
    const policy = { 'keyturn-endpoints': placesOf(query) }
    const { server, world, first } = await suite.open({ strategy: 'replace', policy })
    const looked = await adopt(world.deps(), world.store, world.ref.shown, {})
    assert.match(looked.trial?.outlook ?? '', new RegExp(`through ${placesOf(query)} too; the sessions of a pooler do not show`))
    assert.deepEqual(await query.attempts(), { [first]: 1 })
    assert.deepEqual(await countsOn(server), { connections: 2, accepted: 2, refused: 0 })
    const deps = world.deps()
    await fails(adopt(deps, world.store, world.ref.shown, { 'keyturn-endpoints': placesOf(list) }), 'target_denied', /refuses it/)
    assert.equal((await world.store.describe(world.ref)).policy['keyturn-endpoints'], placesOf(query))
    assert.deepEqual(await list.attempts(), { [first]: 1 })
  })

  it('the sessions of a pooler count as no evidence', { skip }, async () => {
    const { query } = suite
    const policy = { 'keyturn-endpoints': placesOf(query) }
    const { world, first } = await suite.open({ strategy: 'alternate', policy })
    const consumer = clientThrough(query.port, first, firstPassword, ssl)
    await consumer.connect()
    await consumer.query('select 1')
    const { rotator, context } = await direct(world)
    const seen = await rotator.usage(context, first as CredentialId)
    assert.deepEqual({ inUse: seen.inUse, lasting: seen.lasting }, { inUse: true, lasting: false })
    assert.match(seen.evidence, /do not show which consumers hold the credential/)
    await consumer.end()
  })
})
