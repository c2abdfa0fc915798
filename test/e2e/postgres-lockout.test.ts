import assert from 'node:assert/strict'
import { it } from 'node:test'
import { SecretText } from '../../shared/core/secret-text.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { countsOn, freshLog } from '../harness/pg-log.js'
import { createRole, onServers, pendingOf, published } from '../harness/pg-suite.js'
import { BrokenLine } from '../harness/pg-wire.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword, PostgresWorld } from '../harness/postgres-world.js'

const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected
const elsewhere = 'somebody-Changed-it-0123456789-abc'

onServers('no lockout', (suite) => {
  const open = async (username: string, rest: Parameters<typeof PostgresWorld.open>[1] = {}) => {
    await createRole(suite.server, username, firstPassword)
    return PostgresWorld.open(suite.server, { ...rest, value: { username, ...rest.value } })
  }

  it('wrong password in the store: one login a credential, durable stuck, then no login at all', async () => {
    const { server } = suite
    const world = await open('wrong_1')
    await asSuper(server, `alter role wrong_1 password '${elsewhere}'`)
    const before = published(await world.store.describe(world.ref))
    await freshLog(server)
    await assert.rejects(world.rotate(), code('stuck'))
    assert.deepEqual(await countsOn(server), { connections: 2, accepted: 0, refused: 2 }) // current, pending
    const state = await world.store.describe(world.ref)
    assert.equal(state.journal?.code, 'stuck')
    assert.deepEqual(published(state), before)
    for (const kind of ['rotate', 'resume', 'emergency'] as const) {
      await freshLog(server)
      await assert.rejects(world.rotate({ kind }), code('stuck'))
      assert.deepEqual(await countsOn(server), { connections: 0, accepted: 0, refused: 0 })
    }
    assert.ok(await logsIn(server, 'wrong_1', elsewhere))
  })

  it('wrong password after a rotation: current, pending and previous are tried once each', async () => {
    const { server } = suite
    const world = await open('wrong_2')
    await world.rotate()
    await asSuper(server, `alter role wrong_2 password '${elsewhere}'`)
    world.skewMs += 1000
    await freshLog(server)
    await assert.rejects(world.rotate(), code('stuck'))
    assert.deepEqual(await countsOn(server), { connections: 3, accepted: 0, refused: 3 })
    await freshLog(server)
    await assert.rejects(world.rotate(), code('stuck'))
    assert.deepEqual(await countsOn(server), { connections: 0, accepted: 0, refused: 0 })
  })

  it('an administrator who is refused is tried once, and makes nothing stuck', async () => {
    const { server } = suite
    const policy = { 'keyturn-admin': 'memory:admin' }
    const world = await open('wrong_3', { policy, adminValue: { password: elsewhere } })
    await freshLog(server)
    await assert.rejects(world.rotate(), (cause: Error & { code?: string; field?: string }) => {
      assert.equal(cause.field, 'keyturn-admin')
      return cause.code === 'target_denied'
    })
    assert.deepEqual(await countsOn(server), { connections: 1, accepted: 0, refused: 1 })
    assert.equal((await world.store.describe(world.ref)).journal?.code, undefined)
    assert.ok(await logsIn(server, 'wrong_3', firstPassword))
  })

  it('died between ALTER and publish: the next invocation publishes the same value with one refused login', async () => {
    const { server } = suite
    const world = await open('lost_1')
    await world.rotate({ step: 'create' })
    const staged = await pendingOf(world)
    await world.rotate({ step: 'set' })
    assert.equal((await world.current()).password, firstPassword)
    await freshLog(server)
    const { outcome, steps } = await world.rotate()
    assert.equal(outcome, 'published')
    assert.deepEqual(steps, ['set', 'test', 'finish'])
    assert.deepEqual(await countsOn(server), { connections: 3, accepted: 2, refused: 1 })
    assert.equal((await world.current()).password, staged?.password)
    assert.ok(await logsIn(server, 'lost_1', staged?.password ?? ''))
  })

  it('died before ALTER: the next invocation sets the same value, no login refused', async () => {
    const world = await open('lost_2')
    await world.rotate({ step: 'create' })
    const staged = await pendingOf(world)
    await freshLog(suite.server)
    assert.equal((await world.rotate()).outcome, 'published')
    assert.deepEqual(await countsOn(suite.server), { connections: 2, accepted: 2, refused: 0 })
    assert.equal((await world.current()).password, staged?.password)
  })

  it('died at the publication: tested again and published', async () => {
    const world = await open('lost_3')
    const deps = world.deps()
    const dying = new Proxy(deps.store, {
      get: (store, key) => {
        const member = Reflect.get(store, key) as unknown
        if (key === 'publish') return () => Promise.reject(new Error('died'))
        return typeof member === 'function' ? (member.bind(store) as unknown) : member
      },
    })
    const request = { kind: 'rotate', ref: world.ref.shown, at: world.env.now() } as const
    await assert.rejects(rotate({ ...deps, store: dying }, request))
    const staged = await pendingOf(world)
    assert.ok(await logsIn(suite.server, 'lost_3', staged?.password ?? ''))
    await freshLog(suite.server)
    assert.equal((await world.rotate()).outcome, 'published')
    assert.deepEqual(await countsOn(suite.server), { connections: 3, accepted: 2, refused: 1 })
    assert.equal((await world.current()).password, staged?.password)
  })

  for (const when of ['after', 'before'] as const) {
    it(`the line breaks ${when} the server saw ALTER: one invocation settles it`, async () => {
      const { server } = suite
      let cuts = 0
      const line = await BrokenLine.open(server.port, (text) => (text.includes('ALTER ROLE') && cuts++ === 0 ? when : 'never'))
      try {
        const name = `line_${when}`
        const world = await open(name, { value: { port: line.port } })
        await freshLog(server)
        assert.equal((await world.rotate()).outcome, 'published')
        const counts = await countsOn(server)
        assert.deepEqual(counts, { connections: when === 'after' ? 4 : 3, accepted: 3, refused: when === 'after' ? 1 : 0 })
        assert.ok(await logsIn(server, name, (await world.current()).password ?? ''))
        assert.equal((await world.store.describe(world.ref)).journal?.code, undefined)
      } finally {
        await line.close()
      }
    })
  }

  it('an operator restored the older password: previous is accepted, and the rotation heals it', async () => {
    const { server } = suite
    const world = await open('restored')
    await world.rotate()
    const second = (await world.current()).password
    await asSuper(server, `alter role restored password '${firstPassword}'`)
    world.skewMs += 1000
    await freshLog(server)
    assert.equal((await world.rotate()).outcome, 'published')
    assert.deepEqual(await countsOn(server), { connections: 4, accepted: 2, refused: 2 })
    const { password = '' } = await world.current()
    assert.ok(password !== second && password !== firstPassword)
    assert.ok(await logsIn(server, 'restored', password))
    assert.ok(!(await logsIn(server, 'restored', firstPassword)))
  })

  it('stuck ends when the current value works again and the mark is taken away', async () => {
    const { server } = suite
    const world = await open('mended')
    await asSuper(server, `alter role mended password '${elsewhere}'`)
    await assert.rejects(world.rotate(), code('stuck'))
    await asSuper(server, `alter role mended password '${firstPassword}'`)
    await world.store.note(await world.store.describe(world.ref), { code: null })
    const staged = await pendingOf(world)
    assert.equal((await world.rotate()).outcome, 'published')
    assert.equal((await world.current()).password, staged?.password)
  })

  it('a put of a value that the server refuses is not published', async () => {
    const { server } = suite
    const world = await open('put')
    const { current } = await world.store.describe(world.ref)
    await freshLog(server)
    const given = JSON.stringify({ ...(await world.current()), password: elsewhere })
    await assert.rejects(world.rotate({ kind: 'put' }, new SecretText(given)))
    assert.equal((await world.store.describe(world.ref)).current?.id, current?.id)
    assert.ok((await countsOn(server)).refused >= 1)
    assert.ok(await logsIn(server, 'put', firstPassword))
  })
})
