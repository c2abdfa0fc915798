import assert from 'node:assert/strict'
import { it } from 'node:test'
import { SecretText } from '../../shared/core/secret-text.js'
import { countsOn } from '../harness/pg-log.js'
import { pendingOf, published } from '../harness/pg-suite.js'
import { fails, onPoolers, placesOf, refused, through } from '../harness/pooler-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword, type PostgresWorld } from '../harness/postgres-world.js'

const readable = async (world: PostgresWorld): Promise<unknown> => published(await world.store.describe(world.ref))
const passwordOf = async (world: PostgresWorld): Promise<string> => (await pendingOf(world))?.password ?? assert.fail('nothing is staged')

onPoolers('poolers', (suite) => {
  const { skip } = suite

  it('alternate, the pooler asks the server: the new login works there at once, and the old one still does', { skip }, async () => {
    const { query } = suite
    const { server, world, first, second } = await suite.open({ strategy: 'alternate', policy: { 'keyturn-endpoints': placesOf(query) } })
    assert.deepEqual((await world.rotate()).differences, [])
    assert.deepEqual(await query.attempts(), { [second]: 1 })
    assert.deepEqual(await countsOn(server), { connections: 3, accepted: 3, refused: 0 }) // the administrator, the test, the pooler
    const { username = '', password = '' } = await world.current()
    assert.equal(username, second)
    assert.equal(await through(query, second, password), 'in')
    assert.equal(await through(query, first, firstPassword), 'in')
  })

  it('replace, the pooler asks the server: the new password works there at once, and the old one is refused', { skip }, async () => {
    const { query } = suite
    const { server, world, first } = await suite.open({ strategy: 'replace', policy: { 'keyturn-endpoints': placesOf(query) } })
    assert.equal((await world.rotate()).outcome, 'published')
    assert.deepEqual(await query.attempts(), { [first]: 1 })
    assert.deepEqual(await countsOn(server), { connections: 3, accepted: 3, refused: 0 })
    const { password = '' } = await world.current()
    assert.equal(await through(query, first, password), 'in')
    assert.equal(await through(query, first, firstPassword), refused)
  })

  it('alternate, a list: the rotation waits in its test until the list has the new login and is reloaded', { skip }, async () => {
    const { list } = suite
    const { server, world, first, second } = await suite.open({ strategy: 'alternate', policy: { 'keyturn-endpoints': placesOf(list) } })
    await list.writeList([first])
    await list.reload()
    const before = await readable(world)
    const named = [new RegExp(`${placesOf(list)} refuses it`), new RegExp(`does not have ${second}`)]
    await fails(world.rotate(), 'target_denied', ...named, /auth_file/, /byte for byte/, /reload/, /--resume/)
    assert.deepEqual(await list.attempts(), { [second]: 1 })
    assert.deepEqual(await countsOn(server), { connections: 2, accepted: 2, refused: 0 })
    const password = await passwordOf(world)
    assert.deepEqual(await readable(world), before)
    assert.equal(await through(list, first, firstPassword), 'in') // consumers go on
    assert.ok(await logsIn(server, second, password))

    await list.writeList([first, second])
    await list.freshLog()
    await fails(world.rotate({ kind: 'resume' }), 'target_denied') // written, and not reloaded
    assert.deepEqual(await list.attempts(), { [second]: 1 })
    await list.reload()
    assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
    const { username, password: current } = await world.current()
    assert.deepEqual({ username, current }, { username: second, current: password })
    assert.equal(await through(list, second, password), 'in')
    assert.ok(!world.everythingWritten().includes(password))
  })

  it('replace, a list: the old password goes on at the pooler, and nothing is published before the reload', { skip }, async () => {
    const { list } = suite
    const { server, world, first } = await suite.open({ strategy: 'replace', policy: { 'keyturn-endpoints': placesOf(list) } })
    await list.writeList([first])
    await list.reload()
    assert.equal(await through(list, first, firstPassword), 'in') // from now on the pooler has a session of the server
    await list.freshLog()
    const before = await readable(world)
    await fails(world.rotate(), 'target_denied', /auth_file/, /opens no connection to the server with the old password/)
    assert.deepEqual(await list.attempts(), { [first]: 1 })
    const password = await passwordOf(world)
    assert.deepEqual(await readable(world), before)
    assert.ok(await logsIn(server, first, password))
    assert.equal(await through(list, first, firstPassword), 'in')
    assert.equal(await through(list, first, password), refused)

    await list.writeList([first])
    assert.equal(await through(list, first, password), refused)
    await list.reload()
    assert.equal(await through(list, first, firstPassword), refused)
    assert.equal((await world.rotate()).outcome, 'published')
    assert.equal((await world.current()).password, password)
    assert.equal(await through(list, first, password), 'in')
  })

  it('a put that a pooler refuses is kept, and published after the reload', { skip }, async () => {
    const { list } = suite
    const { server, world, first } = await suite.open({ strategy: 'replace', policy: { 'keyturn-endpoints': placesOf(list) } })
    await asSuper(server, `alter role ${first} password 'by-hand-0123456789'`)
    const value = new SecretText(JSON.stringify({ ...(await world.current()), password: 'by-hand-0123456789' }))
    await fails(world.rotate({ kind: 'put' }, value), 'target_denied', /auth_file/)
    assert.equal(await passwordOf(world), 'by-hand-0123456789')
    await list.writeList([first])
    await list.reload()
    assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
    assert.equal((await world.current()).password, 'by-hand-0123456789')
  })

  it('stops at the first endpoint that refuses; where that is gone for good, it leaves the policy and the rotation goes on', {
    skip,
  }, async () => {
    const { list, query } = suite
    const endpoints = placesOf(list, query)
    const { world, second } = await suite.open({ strategy: 'alternate', policy: { 'keyturn-endpoints': endpoints } })
    await fails(world.rotate(), 'target_denied', new RegExp(placesOf(list)))
    assert.deepEqual(await list.attempts(), { [second]: 1 })
    assert.deepEqual(await query.attempts(), {})
    await world.store.setPolicy(world.ref, { 'keyturn-endpoints': placesOf(query) })
    assert.equal((await world.rotate({ kind: 'resume' })).outcome, 'published')
    assert.deepEqual([await list.attempts(), await query.attempts()], [{ [second]: 1 }, { [second]: 1 }])
  })
})
