import assert from 'node:assert/strict'
import { noticeDrift } from '../../shared/core/notices.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { watchedAzure, watchedAzureOf } from '../harness/azure-watched.js'
import { azuriteSkip } from '../harness/azurite.js'
import { suite } from '../harness/suite.js'
import { laterMs, World } from '../harness/world.js'

const dayMs = 86_400_000
const policy = { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b' }

suite('when a secret in Azure Key Vault expires', azuriteSkip, ({ after, it }) => {
  const watched = watchedAzure()
  after(async () => watched.close?.())
  let count = 0
  const open = (more = {}) => World.open('b', watched.open, `azure-schedule-${++count}`, more)
  const doubleOf = (world: World) => watchedAzureOf(world).double
  const expiry = (world: World) => {
    const { expires } = doubleOf(world).versions('db').at(-1) ?? assert.fail('there is no version')
    return expires === undefined ? undefined : expires * 1000
  }
  const drift = async (world: World) => {
    const { native, policy, publishedAt } = await world.store.describe(world.ref)
    return noticeDrift(native, policy, { now: world.env.time, publishedAt })
  }

  it('a rotation writes its interval and 30 days, because the service tells 30 days before; what is staged never expires', async () => {
    const world = await open({ 'keyturn-every': '90d' })
    await world.run(world.newProcess(), { at: world.env.time })
    const { current, native } = await world.store.describe(world.ref)
    const at = current?.createdAt ?? 0
    assert.ok(Math.abs((expiry(world) ?? 0) - (at + 120 * dayMs)) <= 1000)
    assert.deepEqual([native?.does, native?.everyMs], ['notifies', 90 * dayMs])
    assert.ok(Math.abs((native?.nextAt ?? 0) - (at + 90 * dayMs)) <= 1000)
    assert.equal(await drift(world), undefined)
    assert.deepEqual(
      doubleOf(world)
        .versions('db-pending')
        .map(({ expires }) => expires),
      [undefined, undefined],
    )
  })

  it('adopting an old secret gives its version an expiry that is still ahead, and no drift', async () => {
    const world = await open()
    await world.store.release(world.ref)
    world.env.time += 400 * dayMs
    await adopt(world.deps('a person'), world.store, world.ref.shown, { ...policy, 'keyturn-every': '30d' })
    const at = expiry(world) ?? 0
    assert.ok(at > world.env.time + 30 * dayMs && at < world.env.time + 31 * dayMs, new Date(at).toISOString())
    assert.equal(await drift(world), undefined)
    const [before] = doubleOf(world).versions('db')
    assert.equal(doubleOf(world).versions('db').length, 1, 'no version is added')
    assert.equal(before?.value, world.firstValue)
  })

  it('without a schedule nothing expires; somebody who moves an expiry is a drift', async () => {
    const world = await open()
    await world.run(world.newProcess(), { at: world.env.time })
    assert.equal(expiry(world), undefined)
    await world.store.setPolicy(world.ref, { 'keyturn-every': '60d' })
    assert.equal(await drift(world), undefined)
    doubleOf(world).writeForeign('db', await world.currentText(), { expires: Math.floor(world.env.time / 1000) + 200 * 86_400 })
    assert.equal((await drift(world))?.kind, 'differs')
    await world.store.setPolicy(world.ref, { 'keyturn-every': '60d' })
    assert.equal(await drift(world), undefined)
  })

  it('not after 2038-01-19: the client would write another time', async () => {
    const world = await open({ 'keyturn-every': '3650d' })
    assert.notEqual(expiry(world), undefined)
    world.env.time = Date.UTC(2032, 0, 1)
    await world.run(world.newProcess(), { at: world.env.time })
    assert.equal(expiry(world), undefined)
  })

  it('the notice starts nothing: the next look in the window does', async () => {
    const world = await open({ 'keyturn-every': '30d', 'keyturn-window': '02:00-04:00' })
    const look = async (): Promise<readonly string[]> => {
      const done: string[] = []
      for await (const { action } of sweep(world.deps('a sweep'))) done.push(action)
      return done
    }
    const { publishedAt } = await world.store.describe(world.ref)
    world.env.time = publishedAt + 30 * dayMs + laterMs
    world.env.time += dayMs - (((world.env.time % dayMs) + 12 * 3_600_000) % dayMs)
    const events = doubleOf(world).tick()
    assert.deepEqual(
      events.map(({ eventType, subject }) => [eventType, subject]),
      [['Microsoft.KeyVault.SecretNearExpiry', 'db']],
    )
    assert.ok(!(await look()).includes('start'))
    world.env.time += 14.5 * 3_600_000
    assert.ok((await look()).includes('start'))
    assert.equal(await world.published(), 1)
  })
})
