import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { addConsumers, type Consumer, type Habit } from '../harness/consumers.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** The shortest traces that refuted simpler rules about announcing, gates, retiring and the sweep. */
const engines = (Object.keys(profiles) as ProfileName[]).filter((name) => !profiles[name].serviceDriven)
let opened = 0
async function open(
  profile: ProfileName,
  rotator: MemoryClass,
  habits: readonly (readonly [Habit, boolean])[],
): Promise<{ world: World; consumers: readonly Consumer[] }> {
  const names = habits.map(([habit], index) => `c${index}-${habit}`).join(' ')
  const policy = habits.length > 0 ? { 'keyturn-consumers': names } : {}
  const world = await World.open(
    rotator,
    (env, effects) => new MemoryStore(env, profiles[profile], effects),
    `after-trace-${++opened}`,
    policy,
  )
  const consumers = addConsumers(world, habits)
  await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  return { world, consumers }
}
const rotate = (world: World, kind: 'rotate' | 'emergency' | 'rollback' | 'resume' = 'rotate') =>
  world.run(world.newProcess(), { kind, reason: 'a test' })
const tell = (world: World) => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
const retire = (world: World) => world.act(world.newProcess(), async (deps) => (await retirePass(deps, world.ref.shown)).entries)
const pass = (world: World) =>
  world.act(world.newProcess(), async (deps) => {
    for await (const _ of sweep(deps));
  })
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected
const memoryOf = (world: World) => world.store as MemoryStore
const userOf = async (world: World) => (JSON.parse(await world.currentText()) as { username: string }).username

for (const profile of engines) {
  describe(`traces after a publication (${profile})`, () => {
    it('a required consumer does not follow and grace passes: the next claim does not overwrite its account', async () => {
      const { world, consumers } = await open(profile, 'b', [['never', true]])
      await rotate(world)
      await tell(world)
      world.env.time += 30 * 86_400_000
      await assert.rejects(rotate(world), code('held'))
      assert.deepEqual(
        (await retire(world)).map(({ state }) => state),
        ['waiting'],
      )
      assert.equal(world.target.accounts.get(consumers[0]?.user ?? '') === '', false, 'the account in use was ended')
    })

    it('the worker is down: no rotation starts before the publication is announced, so neither account nor event is lost', async () => {
      const { world, consumers } = await open(profile, 'b', [['prompt', true]])
      const { version } = await rotate(world)
      world.env.time += laterMs * 20
      await assert.rejects(rotate(world), code('held'))
      await pass(world)
      assert.ok(consumers[0]?.told.some((change) => change.version === version))
      world.env.time += laterMs * 20
      await pass(world)
      assert.equal((await rotate(world)).outcome, 'published')
    })

    it('gate drained, a rollback publishes before the worker arms: what is current is not ended', async () => {
      const { world } = await open(profile, 'b', [['prompt', true]])
      await rotate(world)
      await tell(world)
      world.env.time += laterMs * 20
      const process = world.newProcess([{ at: 1, mode: 'act', act: async () => void (await rotate(world, 'rollback')) }])
      await world.act(process, (deps) => retirePass(deps, world.ref.shown)).catch(() => undefined)
      assert.ok(world.accepts(await world.currentText()), 'the rolled-back credential was ended')
    })

    it('armed first: the rollback refuses what is being retired', async () => {
      const { world } = await open(profile, 'b', [['prompt', true]])
      await rotate(world)
      await tell(world)
      world.env.time += laterMs * 20
      const process = world.newProcess([{ at: 3, mode: 'before' }])
      await world.act(process, (deps) => retirePass(deps, world.ref.shown)).catch(() => undefined)
      assert.equal((await world.store.describe(world.ref)).journal?.retiring[0]?.state, 'armed')
      await assert.rejects(rotate(world, 'rollback'), code('held'))
      await world.env.sleep(laterMs)
      await pass(world)
      assert.ok(world.accepts(await world.currentText()))
    })

    it('a process that armed and slept does not lock the account after another one retired it and it was used again', async () => {
      const { world } = await open(profile, 'b', [['prompt', true]])
      await rotate(world)
      await tell(world)
      world.env.time += laterMs * 20
      const sleeper = world.newProcess([
        {
          at: 2,
          mode: 'act',
          act: async () => {
            world.env.time += laterMs * 20
            await pass(world)
            world.env.time += laterMs * 20
            await rotate(world)
          },
        },
      ])
      await world.act(sleeper, (deps) => retirePass(deps, world.ref.shown)).catch(() => undefined)
      assert.ok(sleeper.effects.includes('target.remove'), 'it did not sleep where it should')
      assert.ok(world.accepts(await world.currentText()), 'the account in use was locked')
    })

    it('retire and claim do not block each other over a leftover of a finished rotation', async () => {
      const { world } = await open(profile, 'b', [])
      const at =
        (await (async () => {
          const other = await open(profile, 'b', [])
          const process = other.world.newProcess()
          await other.world.run(process)
          return process.effects.length
        })()) - 1
      await world.run(world.newProcess([{ at, mode: 'after' }])).catch(() => undefined)
      world.env.time += laterMs * 30
      await pass(world)
      await pass(world)
      world.env.time += laterMs * 30
      assert.equal((await rotate(world)).outcome, 'published')
    })

    it('a sweep finishes a leftover and starts no rotation of its own', async () => {
      const { world } = await open(profile, 'b', [])
      await world.run(world.newProcess([{ at: 3, mode: 'before' }])).catch(() => undefined)
      world.env.time += laterMs * 2
      for (let count = 0; count < 4; count++) {
        await pass(world)
        world.env.time += laterMs * 20
      }
      const published = await world.published()
      assert.ok(published <= 1, `${published} publications`)
      assert.ok(world.accepts(await world.currentText()))
    })

    it('an emergency before the first announcement: both that left have their entries, and the last one is told', async () => {
      const { world, consumers } = await open(profile, 'c', [['prompt', true]])
      const first = await userOf(world)
      await rotate(world)
      const second = await userOf(world)
      world.env.time += 1000
      await rotate(world, 'emergency')
      await tell(world)
      const ids = (await world.store.describe(world.ref)).journal?.retiring.map(({ id }) => id as string)
      assert.deepEqual([...(ids ?? [])].sort(), [first, second].sort())
      assert.equal(consumers[0]?.told.at(-1)?.cause, 'emergency')
    })
  })
}

describe('traces after a publication (a platform that drives the steps)', () => {
  const byService = async (world: World) => {
    world.env.time += 7 * 86_400_000
    await world.runService(world.newProcess(), await world.startNative())
  }

  it('publications that nobody announced: the steps write no entry, and what came between is left alone for a person', async () => {
    const { world } = await open('aws', 'c', [])
    const first = await userOf(world)
    await byService(world)
    const between = await userOf(world)
    await byService(world)
    const last = await userOf(world)
    await byService(world)
    for (let count = 0; count < 4; count++) {
      world.env.time += 7 * 86_400_000
      await pass(world)
    }
    const ids = (await world.store.describe(world.ref)).journal?.retiring.map(({ id }) => id as string)
    assert.deepEqual([...(ids ?? [])].sort(), [first, last].sort(), 'the one that was announced, and previous')
    assert.ok(world.target.keys.has(between), 'what has no entry was ended')
  })

  it('announced in between, both that left have their entries', async () => {
    const { world } = await open('aws', 'c', [])
    const first = await userOf(world)
    await byService(world)
    const second = await userOf(world)
    await tell(world)
    await byService(world)
    await tell(world)
    const ids = (await world.store.describe(world.ref)).journal?.retiring.map(({ id }) => id as string)
    assert.deepEqual([...(ids ?? [])].sort(), [first, second].sort())
  })
})

describe('a leftover that is cleared away', () => {
  for (const profile of ['gcp', 'azure', 'vault', 'k8s', 'file'] as const) {
    for (const rotator of ['b', 'f'] as const) {
      it(`starts no rotation that nobody can end: retire and the next rotation continue (${profile} × ${rotator})`, async () => {
        const { world } = await open(profile, rotator, [])
        const dying = world.newProcess([{ at: profile === 'k8s' || profile === 'file' ? 1 : 2, mode: 'after' }])
        await world.run(dying, { reason: 'a test' }).catch(() => undefined)
        assert.ok(dying.dead)
        memoryOf(world).wipeJournal(world.ref)
        await world.writeByHand()
        world.env.time += laterMs
        await pass(world)
        assert.deepEqual((await world.store.describe(world.ref)).loose, [])
        for (let count = 0; count < 4; count++) {
          world.env.time += 86_400_000
          await pass(world)
        }
        for (const { why } of await retire(world)) assert.doesNotMatch(why, /a rotation is open/)
        const { outcome } = await rotate(world)
        assert.equal(outcome, 'published')
      })
    }
  }
})
