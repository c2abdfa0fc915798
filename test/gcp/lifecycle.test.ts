import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, beforeEach, describe, it } from 'node:test'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { CountedStore, watchedGcp } from '../harness/gcp-watched.js'
import { laterMs, World } from '../harness/world.js'

describe('a secret in Google Secret Manager lives its life', () => {
  const watched = watchedGcp()
  let world: World
  let count = 0
  after(async () => watched.close?.())
  beforeEach(async () => {
    world = await World.open('b', watched.open, `gcp-life-${++count}`)
  })
  const double = () => (world.store instanceof CountedStore ? world.store.double : assert.fail('another store'))
  const names = () =>
    [...double().secrets.keys()].filter((name) => name.startsWith(world.ref.key)).map((name) => name.slice(world.ref.key.length))
  const states = () =>
    double()
      .secrets.get(world.ref.key)
      ?.versions.map(({ state }) => state)

  it('adopted, rotated, announced, retired, rotated again', async () => {
    await world.store.release(world.ref)
    assert.deepEqual(names(), [''])
    await adopt(world.deps('a person'), world.store, world.ref.shown, { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b' })
    assert.deepEqual(names(), ['', '--pending'])
    await world.run(world.newProcess())
    await announce(world.deps('a person'), world.ref.shown)
    assert.deepEqual(states(), ['ENABLED', 'ENABLED'])
    world.env.time += laterMs * 8
    const { entries } = await retirePass(world.deps('a person'), world.ref.shown)
    assert.equal(entries.length, 1)
    await world.run(world.newProcess(), { at: world.env.time })
    assert.equal((await world.store.describe(world.ref)).current?.id, '3')
    assert.ok(world.accepts(await world.currentText()))
  })

  it('by so many calls as the page says', async () => {
    double().calls.length = 0
    await world.run(world.newProcess())
    const rotation = { calls: double().count(), writes: double().writes(), consumerWrites: double().writes('consumer') }
    double().calls.length = 0
    await announce(world.deps('a person'), world.ref.shown)
    const pass = { calls: double().count(), writes: double().writes() }
    assert.deepEqual({ rotation, pass }, { rotation: { calls: 18, writes: 8, consumerWrites: 2 }, pass: { calls: 8, writes: 1 } })
    const page = readFileSync('docs/google-cloud.md', 'utf8')
    assert.match(
      page,
      /makes 18 calls of the service, 8 of them writes \(2 of these on `NAME`\), and announcing it makes 8, one of them a write/,
    )
  })

  it('goes through quotas that are used up for a while: the guard repeats', async () => {
    const { fault } = double()
    let writes = 0
    double().fault = (call, n) => fault(call, n) ?? (call.writes && ++writes % 3 === 0 ? 'throttle' : undefined)
    await world.run(world.newProcess())
    assert.ok(writes > 10)
    double().fault = fault
    assert.equal((await world.store.describe(world.ref)).current?.id, '2')
    assert.equal(await world.published(), 1)
  })

  it('is found by a sweep, which finishes what a crash left', async () => {
    const process = world.newProcess([{ at: 4, mode: 'after' }])
    await world.run(process).catch(() => undefined)
    world.env.time += laterMs
    const swept = []
    for await (const one of sweep(world.deps('a sweep'))) swept.push(one)
    assert.equal(swept.length, 1)
    assert.equal((await world.store.describe(world.ref)).current?.id, '2')
  })
})
