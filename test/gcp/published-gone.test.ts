import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { nothingBroken, watchPromises } from '../crash/promises.js'
import { addConsumers } from '../harness/consumers.js'
import { countedStoreOf } from '../harness/gcp-counted.js'
import { watchedGcp } from '../harness/gcp-watched.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

const dayMs = 86_400_000

/** Who reads the newest version gets nothing then, although the target accepts an older one. */
describe('the version that a rotation published is gone, and the target accepts an older one', () => {
  const watched = watchedGcp()
  after(async () => watched.close?.())
  let count = 0

  const told = (world: World) => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  const recovered = (world: World, yes: boolean) =>
    world.act(world.newProcess(), (deps) => recover(deps, world.store, world.ref.shown, yes))
  async function open(rotator: MemoryClass, rpc: 'DestroySecretVersion' | 'DisableSecretVersion') {
    const world = await World.open(rotator, watched.open, `gone-${++count}`, { 'keyturn-consumers': 'c0-prompt' })
    const consumers = addConsumers(world, [['prompt', true]])
    await told(world)
    await world.run(world.newProcess(), { at: world.env.time })
    await told(world)
    world.env.time += laterMs
    const { double } = countedStoreOf(world)
    double.do(rpc, { name: `${world.ref.key}/versions/2` })
    const newest = () => double.secrets.get(world.ref.key)?.versions.at(-1)
    return { world, consumers, newest }
  }

  for (const rpc of ['DestroySecretVersion', 'DisableSecretVersion'] as const)
    it(`recover names that version, publishes it again, and it is not retired with what it was before (${rpc})`, async () => {
      const { world, consumers, newest } = await open('b', rpc)
      const refusal = await world.run(world.newProcess(), { at: world.env.time }).catch(codeOf)
      assert.equal(refusal, 'damaged')
      const { action, done } = await recovered(world, false)
      assert.deepEqual([action.do, action.do === 'restore' && action.version, done], ['restore', '1', false])
      assert.match(action.why, /version 2 was published and cannot be read/)
      assert.equal(newest()?.id, 2)

      const broken = nothingBroken()
      watchPromises(world, broken, true)
      assert.equal((await recovered(world, true)).done, true)
      assert.deepEqual([newest()?.id, Buffer.from(newest()?.data ?? '').toString()], [3, world.firstValue])
      assert.equal((await recovered(world, false)).action.do, 'nothing')
      await told(world)
      assert.equal(consumers[0]?.told.at(-1)?.version, '3')
      world.env.time += 40 * dayMs
      for await (const _ of sweep(world.deps('a sweep'))) assert.ok(world.accepts(await world.currentText()))
      await world.run(world.newProcess(), { at: world.env.time })
      await told(world)
      assert.ok(world.accepts(await world.currentText()))
      assert.deepEqual({ ...broken, lost: [] }, nothingBroken()) // what was in the version that is gone, nobody has
    })

  it('where the target accepts no stored value, it still says so: a person sets the current one', async () => {
    const { world } = await open('a', 'DestroySecretVersion')
    const { action } = await recovered(world, false)
    assert.equal(action.do, 'by hand')
  })
})
