import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { addConsumers, type Habit } from '../harness/consumers.js'
import { laterMs, World } from '../harness/world.js'

/** The four mistakes that a gate must not make, each by itself. */
let opened = 0
async function published(habits: readonly (readonly [Habit, boolean])[], grace = '30m') {
  const names = habits.map(([habit], index) => `c${index}-${habit}`).join(' ')
  const policy = { 'keyturn-grace': grace, ...(habits.length > 0 ? { 'keyturn-consumers': names } : {}) }
  const world = await World.open('b', (env, effects) => new MemoryStore(env, undefined, effects), `gate-${++opened}`, policy)
  const consumers = addConsumers(world, habits)
  const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  const retire = () => world.act(world.newProcess(), async (deps) => (await retirePass(deps, world.ref.shown)).entries[0]?.state)
  await tell()
  await world.run(world.newProcess())
  return { world, consumers, tell, retire }
}

describe('the gate', () => {
  it('does not take an empty list of required consumers for all of them', async () => {
    const { world, tell, retire } = await published([['prompt', false]])
    await tell()
    world.env.time += 100 * laterMs
    assert.equal(await retire(), 'undeclared')
    assert.notEqual(world.target.accounts.get('app_a'), '')
  })

  it('waits for grace, whoever is drained', async () => {
    const { world, tell, retire } = await published([['prompt', true]])
    await tell()
    assert.notEqual(await retire(), 'retired')
    assert.notEqual(world.target.accounts.get('app_a'), '')
    world.env.time += 31 * 60_000
    assert.equal(await retire(), 'retired')
  })

  it('notes as announced only what was delivered', async () => {
    const { world, consumers, tell } = await published([['prompt', true]])
    const process = world.newProcess([{ at: 0, mode: 'before' }])
    await world.act(process, (deps) => announce(deps, world.ref.shown)).catch(() => undefined)
    const { journal, current } = await world.store.describe(world.ref)
    assert.notEqual(journal?.announced, current?.id)
    await tell()
    assert.equal(consumers[0]?.told.at(-1)?.version, current?.id)
  })

  it('asks again: what was noted as drained may have gone back', async () => {
    const { world, consumers, tell, retire } = await published([['prompt', true]])
    await tell()
    assert.equal((await world.store.describe(world.ref)).journal?.seen?.['c0-prompt']?.phase, 'drained')
    const [consumer] = consumers
    if (consumer) consumer.version = 'an older one'
    world.env.time += 100 * laterMs
    assert.equal(await retire(), 'waiting')
    assert.notEqual(world.target.accounts.get('app_a'), '')
  })
})
