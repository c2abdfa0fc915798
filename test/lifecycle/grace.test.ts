import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Consumer } from '../../shared/core/ports/notifier.js'
import type { ConsumerPhase, Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { noteSeen } from '../../shared/lifecycle/consumers/seen.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { World } from '../harness/world.js'

const hourMs = 3_600_000
const policy: Policy = { 'keyturn-consumers': 'one', 'keyturn-grace': '2h' }
let opened = 0

/** A secret with one required consumer that is as far as the test says, and how often it was asked. */
async function open() {
  const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles.k8s, effects), `grace-${++opened}`, policy)
  const consumer: { phase: ConsumerPhase; asked: number } = { phase: 'requested', asked: 0 }
  const one: Consumer = { key: 'one', kind: 'memory', required: true, settings: new SecretText('{}') }
  world.configuration = { ...noConfiguration, consumers: { one } }
  world.loadNotifier = async () => ({
    kind: 'memory',
    preflight: async () => ({ verdict: 'ok' }),
    advance: async () => {
      consumer.asked++
      return { phase: consumer.phase, evidence: consumer.phase }
    },
    classify: () => 'internal',
  })
  return { world, consumer }
}
const run = (world: World) => world.run(world.newProcess(), {})
const tellAll = (world: World) => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
const retire = async (world: World) => (await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))).entries
const valid = (world: World, id: string): boolean => (world.target.accounts.get(id) ?? '') !== ''

describe('a pass before grace is over', () => {
  it('does not ask who was seen as drained; the one after it does, and retires nothing while that one is back', async () => {
    const { world, consumer } = await open()
    consumer.phase = 'drained'
    await tellAll(world)
    await run(world)
    await tellAll(world)
    const { asked } = consumer
    for (let pass = 0; pass < 20; pass++) {
      world.env.time += 5 * 60_000
      const [entry] = await retire(world)
      assert.equal(entry?.why, 'every required consumer is drained; grace is not over')
    }
    assert.equal(consumer.asked, asked)
    consumer.phase = 'requested'
    world.env.time += hourMs
    assert.equal((await retire(world))[0]?.state, 'waiting')
    assert.equal(consumer.asked, asked + 1)
    assert.ok(valid(world, 'app_a'))
    consumer.phase = 'drained'
    await retire(world)
    assert.ok(!valid(world, 'app_a'))
  })

  it('asks who is not there yet', async () => {
    const { world, consumer } = await open()
    await tellAll(world)
    consumer.phase = 'drained'
    await tellAll(world)
    await run(world)
    consumer.phase = 'requested'
    await tellAll(world)
    const { asked } = consumer
    consumer.phase = 'drained'
    world.env.time += 5 * 60_000
    assert.equal((await retire(world))[0]?.why, 'every required consumer is drained; grace is not over')
    assert.equal(consumer.asked, asked + 1)
  })
})

describe('a look at a credential that left', () => {
  /** How many looks, five minutes apart, found that a pass over it is due. */
  async function due(world: World, looks: number): Promise<number> {
    let found = 0
    for (let n = 0; n < looks; n++) {
      world.env.time += 5 * 60_000
      await world.act(world.newProcess(), async (deps) => {
        for await (const { action } of sweep(deps)) if (action === 'retire') found++
      })
    }
    return found
  }
  /** Of a secret that nobody is named for: its sessions are the evidence. */
  async function openAlone(grace: string) {
    const more = { 'keyturn-grace': grace, 'keyturn-consumers': 'none' }
    const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles.k8s, effects), `grace-${++opened}`, more)
    await tellAll(world)
    await run(world)
    await tellAll(world)
    return world
  }

  it('asks its target eight times in a grace and once a day after it, and not every five minutes', async () => {
    const world = await openAlone('2d')
    const inGrace = await due(world, 2 * 24 * 12)
    assert.ok(inGrace >= 8 && inGrace <= 9, String(inGrace))
    const after = await due(world, 4 * 24 * 12)
    assert.ok(after >= 3 && after <= 5, String(after))
  })

  it('sees sessions that end in a grace, and retires when they have been gone for one', async () => {
    const world = await openAlone('2d')
    world.target.sessions.set('app_a', 3)
    await due(world, 12 * 12)
    world.target.sessions.delete('app_a')
    await due(world, 2 * 24 * 12)
    assert.ok(valid(world, 'app_a'), 'it has not been gone for a grace yet')
    await due(world, 12 * 12)
    assert.ok(!valid(world, 'app_a'))
  })

  it('sees somebody who comes back for half an hour each day, and does not retire what he uses', async () => {
    for (const grace of ['2d', '10d']) {
      const world = await openAlone(grace)
      world.target.sessions.set('app_a', 3)
      await due(world, 12)
      for (let day = 0; day < 15; day++) {
        world.target.sessions.delete('app_a')
        await due(world, 14 * 12)
        world.target.sessions.set('app_a', 1)
        await due(world, 6)
        world.target.sessions.delete('app_a')
        await due(world, 10 * 12 - 6)
      }
      assert.ok(valid(world, 'app_a'), grace)
    }
  })

  it('asks at once after a receipt that was signed before it asked last', async () => {
    const { world, consumer } = await open()
    await world.store.setPolicy(world.ref, { 'keyturn-grace': '8d' })
    await tellAll(world)
    await run(world)
    await tellAll(world)
    await due(world, 9 * 24 * 12) // past the grace, and it was asked in vain
    const at = world.env.time - 10 * 60_000
    consumer.phase = 'drained'
    await world.act(world.newProcess(), (deps) => noteSeen(deps, world.ref.shown, { consumer: 'one', phase: 'drained', at }))
    assert.equal(await due(world, 1), 1)
    assert.ok(!valid(world, 'app_a'))
  })

  it('retires at once by a force that the policy has had only since it asked last', async () => {
    const { world } = await open()
    await world.store.setPolicy(world.ref, { 'keyturn-grace': '8d' })
    await tellAll(world)
    await run(world)
    await tellAll(world)
    await due(world, 10 * 24 * 12)
    assert.ok(valid(world, 'app_a'))
    await world.store.setPolicy(world.ref, { 'keyturn-drain': 'force after 9d' })
    assert.equal(await due(world, 1), 1)
    assert.ok(!valid(world, 'app_a'))
  })

  it('asks at once when a consumer has moved, and when the grace ends', async () => {
    const { world, consumer } = await open()
    await tellAll(world)
    await run(world)
    await tellAll(world)
    await retire(world)
    await due(world, 2 * 12 + 1) // past the grace
    const { asked } = consumer
    consumer.phase = 'drained'
    await world.act(world.newProcess(), (deps) => noteSeen(deps, world.ref.shown, { consumer: 'one', phase: 'drained' }))
    assert.equal(await due(world, 1), 1)
    assert.ok(consumer.asked > asked)
    assert.ok(!valid(world, 'app_a'))
  })
})
