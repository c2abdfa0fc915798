import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Consumer } from '../../shared/core/ports/notifier.js'
import type { ConsumerPhase, Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
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
