import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import type { ProfileName } from '../../shared/stores/memory/profiles.js'
import { settingFor } from '../crash/settings.js'
import { type MemoryClass, World } from '../harness/world.js'

const open = (rotator: MemoryClass, profile: ProfileName, policy = {}): Promise<World> =>
  World.open(rotator, settingFor(profile, rotator).openStore, `interrupt-${profile}-${rotator}`, policy)

/** The signal comes right after this effect, counted from 1. Returns the names of the effects so far. */
const interruptAfter = (world: World, count: number): readonly string[] => {
  const names: string[] = []
  world.watch = async (done) => {
    if (names.push(done) === count) world.env.abort.abort()
  }
  return names
}
/** The same world after the process has ended: a new one has no signal. */
const restarted = (world: World): void => {
  world.watch = async () => {}
  Object.assign(world.env, { abort: new AbortController() })
}
const isLive = async (world: World): Promise<boolean> => {
  const rotation = (await world.store.describe(world.ref)).journal?.rotation
  return rotation !== undefined && rotation.published === undefined && rotation.leaseUntil > world.env.now()
}

describe('a signal in the middle of a rotation', () => {
  for (const profile of ['file', 'vault', 'k8s', 'gcp', 'azure'] as const) {
    it(`after any of its effects (${profile}): the lease is given back, and another process goes on at once`, async () => {
      const interrupted: string[] = []
      for (let count = 1; ; count++) {
        const world = await open('a', profile)
        const names = interruptAfter(world, count)
        const [first] = await Promise.allSettled([world.run(world.newProcess())])
        if (names.length < count) break
        if (first?.status === 'rejected') {
          assert.equal((first.reason as { code?: string }).code, 'held')
          interrupted.push(names[count - 1] ?? '')
        }
        assert.equal(await isLive(world), false, `the lease lives on after ${names[count - 1]}`)
        restarted(world)
        await world.run(world.newProcess(), { kind: 'resume' })
        assert.ok(world.accepts(await world.currentText()))
      }
      assert.ok(interrupted.length >= 3, interrupted.join(', '))
    })
  }
})

describe('a signal while somebody else writes to the journal', () => {
  for (const profile of ['file', 'k8s', 'gcp'] as const) {
    it(`after any effect (${profile}): the lease is given back all the same`, async () => {
      let interrupted = 0
      for (let count = 1; ; count++) {
        const world = await open('a', profile)
        let effects = 0
        world.watch = async () => {
          if (++effects !== count) return
          await world.lagBehind() // what the process reads to give the lease back is old by the time that it writes
          await world.store.note(await world.store.describe(world.ref), { checkedAt: world.env.now() })
          world.env.abort.abort()
        }
        const [first] = await Promise.allSettled([world.run(world.newProcess())])
        if (effects < count) break
        if (first?.status === 'rejected') interrupted++
        assert.equal(await isLive(world), false, `the lease lives on after effect ${count}`)
      }
      assert.ok(interrupted >= 3)
    })
  }
})

describe('a signal in the middle of a retirement', () => {
  it('after the credential was armed: it stays armed, and another process retires it at once', async () => {
    const world = await open('b', 'k8s', { 'keyturn-consumers': 'none', 'keyturn-grace': '1h' })
    await world.run(world.newProcess())
    await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    const state = await world.store.describe(world.ref)
    const [entry] = state.journal?.retiring ?? []
    assert.ok(entry !== undefined)
    await world.store.note(state, { retiring: [{ ...entry, state: 'armed' }] })
    world.env.time += 2 * 3_600_000
    interruptAfter(world, 1)
    const retire = () => world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))
    await assert.rejects(retire(), { code: 'held' })
    const [armed] = (await world.store.describe(world.ref)).journal?.retiring ?? []
    assert.equal(armed?.state, 'armed')
    assert.ok((armed.leaseUntil ?? 0) <= world.env.now())
    restarted(world)
    assert.equal((await retire()).entries[0]?.state, 'retired')
  })
})
