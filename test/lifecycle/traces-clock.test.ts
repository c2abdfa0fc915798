import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { plan } from '../../shared/lifecycle/fleet/plan.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { addConsumers } from '../harness/consumers.js'
import { World } from '../harness/world.js'

const minuteMs = 60_000
const yearMs = 365 * 86_400_000
let opened = 0

/** A secret whose first rotation ran under a clock that was ahead; the clocks are right from then on. */
async function publishedAhead(aheadMs: number, profile: 'gcp' | 'file' | 'vault' = 'file') {
  const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles[profile], effects), `clock-${++opened}`, {
    'keyturn-consumers': 'c0-prompt',
  })
  const consumers = addConsumers(world, [['prompt', true]])
  const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  await tell()
  world.env.time += minuteMs
  world.aheadMs = aheadMs
  const ahead = world.newProcess()
  if (ahead.aheadMs === 0) Object.assign(ahead, { aheadMs })
  await world.run(ahead)
  world.aheadMs = 0
  world.env.time += 10 * minuteMs
  return { world, tell, told: () => consumers[0]?.told ?? [] }
}
const rotate = (world: World, kind: 'rotate' | 'emergency' = 'rotate') => world.run(world.newProcess(), { kind, reason: 'a test' })
const swept = (world: World) =>
  world.act(world.newProcess(), async (deps) => {
    const all = []
    for await (const one of sweep(deps)) all.push(one)
    return all
  })

describe('a publication from the future', () => {
  for (const profile of ['file', 'gcp', 'vault'] as const) {
    it(`answers no request: an emergency rotates, and so does a rotation once it was noted (${profile})`, async () => {
      const { world } = await publishedAhead(yearMs, profile)
      const before = (await world.store.describe(world.ref)).current?.id
      const { outcome, version } = await rotate(world, 'emergency')
      assert.equal(outcome, 'published')
      assert.notEqual(version, before)
    })
  }

  it('is named by status, plan and sweep, and holds nothing longer than from now', async () => {
    const { world, tell } = await publishedAhead(yearMs)
    const look = () => world.act(world.newProcess(), (deps) => statusOf(deps, world.ref.shown))
    assert.equal((await look()).next.do, 'refuse')
    const lines = await world.act(world.newProcess(), async (deps) => {
      const all = []
      for await (const one of plan(deps)) all.push(one)
      return all
    })
    assert.ok((lines[0]?.aheadMs ?? 0) > yearMs / 2)
    const [announced] = await swept(world)
    assert.match(
      announced?.outcome ?? '',
      /^published 1y .*ahead of this clock; it counts from now|^published .* ahead of this clock; it counts from now/,
    )
    const { publishedAt, journal } = await world.store.describe(world.ref)
    assert.ok(publishedAt > world.env.time, 'nothing is rewritten')
    assert.ok((journal?.reckoned?.at ?? Number.POSITIVE_INFINITY) <= world.env.time)
    await assert.rejects(rotate(world), { code: 'held', message: /stays valid for another/ })
    world.env.time += 61 * minuteMs
    await tell()
    await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))
    assert.equal((await rotate(world)).outcome, 'published')
  })

  it('that was announced under the same clock counts from now, too: grace, entries, pauses, the daily look', async () => {
    const { world } = await publishedAhead(yearMs)
    const ahead = Object.assign(world.newProcess(), { aheadMs: yearMs })
    await world.act(ahead, (deps) => announce(deps, world.ref.shown))
    assert.ok((await world.store.describe(world.ref)).journal?.retiring.some(({ since }) => since > world.env.time))
    await swept(world)
    world.env.time += 2 * 60 * minuteMs
    await swept(world)
    assert.deepEqual((await world.store.describe(world.ref)).journal?.retiring, [])
    assert.equal((await rotate(world)).outcome, 'published')
  })

  it('a clock that is behind shortens nothing for the others: what it takes for the future stays as it is', async () => {
    const { world, tell } = await publishedAhead(0)
    await tell()
    const behind = Object.assign(world.newProcess(), { aheadMs: -2 * 60 * minuteMs })
    await world.act(behind, (deps) => announce(deps, world.ref.shown))
    await world.act(Object.assign(world.newProcess(), { aheadMs: -2 * 60 * minuteMs }), (deps) => retirePass(deps, world.ref.shown))
    world.env.time += minuteMs
    const states = await world.act(world.newProcess(), async (deps) => (await retirePass(deps, world.ref.shown)).entries)
    assert.ok(
      states.every(({ state }) => state !== 'retired'),
      JSON.stringify(states),
    )
    await assert.rejects(rotate(world), { code: 'held' })
  })

  it('without notes it holds until real time and grace are over: nobody shortens it', async () => {
    const { world } = await publishedAhead(yearMs)
    const off = world.act(world.newProcess(), (deps) => statusOf({ ...deps, journal: false }, world.ref.shown))
    const { next } = await off
    assert.ok(next.do === 'refuse' && next.code === 'held', JSON.stringify(next))
  })

  it('the sequence never goes back and never jumps, and is the same at each try', async () => {
    const { world, tell, told } = await publishedAhead(yearMs)
    await tell()
    const first = told().at(-1)?.sequence ?? 0
    assert.ok(first <= world.env.time)
    world.env.time += 61 * minuteMs
    await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))
    await rotate(world)
    await tell()
    const second = told().at(-1)?.sequence ?? 0
    assert.ok(second > first && second <= world.env.time + 5 * minuteMs)
  })

  it('a clock that is a little ahead answers: a request that is delivered twice rotates once', async () => {
    for (const aheadMs of [300, 4 * minuteMs]) {
      const { world } = await publishedAhead(aheadMs)
      const { publishedAt } = await world.store.describe(world.ref)
      const again = await world.run(world.newProcess(), { at: publishedAt - 1 })
      assert.equal(again.outcome, 'unchanged', `${aheadMs} ms`)
    }
  })

  it('a lease that no clock near ours can have written is over; one that is a little ahead is not', async () => {
    for (const [aheadMs, code] of [
      [yearMs, undefined],
      [4 * minuteMs, 'locked'],
    ] as const) {
      const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles.vault, effects), `clock-${++opened}`)
      const dying = Object.assign(world.newProcess([{ at: 1, mode: 'after' }]), { aheadMs })
      await world.run(dying).catch(() => undefined)
      const end = await world.run(world.newProcess(), { kind: 'resume' }).catch((cause: unknown) => cause)
      assert.equal(codeOf(end), code)
    }
  })
})

describe('status after an emergency', () => {
  it('lists the account that left, not the one that is current again', async () => {
    const { world, tell } = await publishedAhead(0)
    await tell()
    world.env.time += minuteMs
    await rotate(world, 'emergency')
    const { retiring } = await world.act(world.newProcess(), (deps) => statusOf(deps, world.ref.shown))
    const { username } = JSON.parse(await world.currentText()) as { username: string }
    assert.deepEqual(
      retiring.map(({ id }) => id),
      [username === 'app_a' ? 'app_b' : 'app_a'],
    )
  })
})
