import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Consumer } from '../../shared/core/ports/notifier.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { look } from '../../shared/lifecycle/fleet/look.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { MemoryQueue } from '../harness/memory-queue.js'
import { type MemoryClass, World } from '../harness/world.js'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
let opened = 0

/** A secret that was rotated once, with an outgoing credential whose grace is over. */
async function rotated(rotator: MemoryClass, policy: Policy = {}): Promise<World> {
  const world = await World.open(rotator, (env, effects) => new MemoryStore(env, profiles.gcp, effects), `look-${++opened}`, policy)
  const web: Consumer = { key: 'web', kind: 'manual', required: true, settings: new SecretText('{}') }
  world.configuration = { ...noConfiguration, consumers: { web } }
  const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  await tell()
  await world.run(world.newProcess(), { at: world.env.time + 1 })
  await tell()
  world.env.time += 3 * 60 * minuteMs
  const state = await world.store.describe(world.ref)
  assert.equal(state.journal?.retiring.length, 1)
  await world.store.note(state, { checkedAt: world.env.time })
  return world
}
async function actionsOf(world: World): Promise<readonly string[]> {
  const queue = new MemoryQueue()
  await world.act(world.newProcess(), async (deps) => {
    for await (const { failure } of look(deps, queue)) assert.equal(failure, undefined)
  })
  return queue.sent.map(({ work }) => work.action)
}

describe('a credential that left', () => {
  it('of which nobody can say whether it is used is looked at once a day', async () => {
    const world = await rotated('f')
    assert.deepEqual(await actionsOf(world), [])
    world.env.time += dayMs
    assert.deepEqual(await actionsOf(world), ['retire', 'check'])
  })

  it('is looked at each time where a consumer is named, the target knows its sessions, or the issuer its use', async () => {
    assert.deepEqual(await actionsOf(await rotated('f', { 'keyturn-consumers': 'web' })), ['retire'])
    for (const rotator of ['b', 'c'] as const) assert.deepEqual(await actionsOf(await rotated(rotator)), ['retire'], rotator)
  })

  it('is looked at each time once somebody has begun to end it', async () => {
    const world = await rotated('f')
    const state = await world.store.describe(world.ref)
    const retiring = (state.journal?.retiring ?? []).map((entry) => ({ ...entry, state: 'armed' as const }))
    await world.store.note(state, { retiring })
    assert.deepEqual(await actionsOf(world), ['retire'])
  })
})

describe('what a look finds', () => {
  it('is named by when the look began, however long it lists: two looks at once name it alike', async () => {
    const world = await rotated('b')
    world.env.time -= world.env.time % (5 * minuteMs)
    const ids: string[] = []
    for (const slowMs of [0, 7 * minuteMs]) {
      const queue = new MemoryQueue()
      const list = world.store.list.bind(world.store)
      const from = world.env.time
      world.store.list = async function* (...words) {
        for await (const one of list(...words)) {
          world.env.time += slowMs
          yield one
        }
      }
      await world.act(world.newProcess(), async (deps) => {
        for await (const _ of look(deps, queue));
      })
      Object.assign(world.store, { list })
      world.env.time = from
      ids.push(...queue.sent.map(({ work }) => work.id))
    }
    assert.deepEqual([ids.length, new Set(ids).size], [2, 1])
  })
})
