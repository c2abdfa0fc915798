import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, beforeEach, describe, it } from 'node:test'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { CountedStore } from '../harness/gcp-counted.js'
import { watchedGcp } from '../harness/gcp-watched.js'
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
    await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    const pass = { calls: double().count(), writes: double().writes() }
    assert.deepEqual({ rotation, pass }, { rotation: { calls: 18, writes: 8, consumerWrites: 2 }, pass: { calls: 8, writes: 1 } })
    const page = readFileSync('docs/gcp.md', 'utf8')
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

  it('is rotated by the next look in its window where the notice came outside of it: the notice starts nothing', async () => {
    const [topic, dayMs] = ['projects/p/topics/rotations', 86_400_000]
    double().do('UpdateSecret', { secret: { name: world.ref.key, topics: [{ name: topic }] }, updateMask: { paths: ['topics'] } })
    await world.store.setPolicy(world.ref, { 'keyturn-every': '7d', 'keyturn-window': '02:00-04:00' })
    const { publishedAt, native } = await world.store.describe(world.ref)
    assert.equal(native?.nextAt, Math.ceil((publishedAt + 7 * dayMs) / 1000) * 1000)
    const noticed: string[] = []
    double().onMessage = ({ attributes }) => void noticed.push(attributes.eventType ?? '')
    const look = async () => {
      const done = []
      for await (const { action } of sweep(world.deps('a sweep'))) done.push(action)
      return done
    }
    world.env.time = publishedAt + 7 * dayMs + 60_000
    assert.equal(new Date(world.env.time).getUTCHours(), 12)
    await world.store.describe(world.ref) // the double learns the time
    assert.deepEqual([double().tick(), noticed], [[world.ref.key], ['SECRET_ROTATE']])
    const held = await look()
    assert.ok(!held.includes('start'), held.join(' '))
    world.env.time += dayMs / 2 + 2.5 * 3_600_000
    assert.ok((await look()).includes('start'))
    const { current } = await world.store.describe(world.ref)
    assert.equal(current?.id, '2')
    assert.equal(noticed.filter((event) => event === 'SECRET_ROTATE').length, 1)
    double().onMessage = () => {}
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
