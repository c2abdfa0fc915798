import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Token } from '../../shared/core/ports/words.js'
import type { ProfileName } from '../../shared/stores/memory/profiles.js'
import type { MemoryStore } from '../../shared/stores/memory.js'
import { memorySetting } from '../crash/settings.js'
import type { Fault, FaultMode } from '../harness/faults.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** Each is the shortest way in which an earlier, simpler rule lost a credential. Those about announcing, gates, retiring and the sweep are due with these. */
const token = 'a-token-of-a-person-0123456789abcdef' as Token
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected

const open = async (profile: ProfileName, rotator: MemoryClass): Promise<World> =>
  World.open(rotator, memorySetting(profile, rotator).openStore, `trace-${profile}-${rotator}`)
const memoryOf = (world: World): MemoryStore => world.store as MemoryStore

/** Runs until the named effect and lets the trouble happen there. */
async function until(
  world: World,
  effect: string,
  mode: FaultMode,
  request: { token?: Token } = { token },
  act?: () => Promise<void>,
): Promise<void> {
  const rehearsal = await open(world.profile as ProfileName, world.rotator)
  const dry = rehearsal.newProcess()
  await rehearsal.run(dry, { token })
  const fault: Fault = { at: dry.effects.indexOf(effect), mode, ...(act ? { act } : {}) }
  assert.ok(fault.at >= 0, `${effect} is not among ${dry.effects.join(', ')}`)
  // The rehearsal took the target's name; this world's target takes it back.
  world.useTarget()
  await assert.rejects(world.run(world.newProcess([fault]), request))
}

const passwordOf = async (world: World): Promise<string> => (JSON.parse(await world.currentText()) as { password: string }).password
const publishedCount = async (world: World): Promise<number> => {
  let count = 0
  for await (const { ours } of world.store.history(world.ref)) if (ours !== undefined) count++
  return count
}

describe('traces that broke simpler rules', () => {
  it('staged, applied, journal lost: the staged value is looked at and adopted, not removed (vault, replace)', async () => {
    const world = await open('vault', 'a')
    await until(world, 'target.set', 'after')
    const applied = world.target.accounts.get('app_a')
    memoryOf(world).wipeJournal(world.ref)
    world.env.time += laterMs
    await world.run(world.newProcess(), { kind: 'resume' })
    assert.equal(await passwordOf(world), applied)
    assert.equal(world.target.accounts.get('app_a'), applied)
  })

  it('a minted key that was stored but not named is adopted without a login: it is the only copy (gcp, class C)', async () => {
    const world = await open('gcp', 'c')
    await until(world, 'stage.value', 'after')
    world.env.time += laterMs
    await world.run(world.newProcess(), { token })
    assert.equal(world.target.keys.size, 2)
    assert.ok(world.accepts(await world.currentText()))
  })

  it('nobody looks at a loose value while its rotation lives (gcp)', async () => {
    const world = await open('gcp', 'a')
    let seen: unknown
    let logins = -1
    await until(world, 'stage.name', 'before', { token }, async () => {
      logins = world.target.logins.length
      seen = await world.run(world.newProcess(), { kind: 'resume' }).catch((cause: unknown) => cause)
      logins = world.target.logins.length - logins
    })
    assert.ok(code('locked')(seen))
    assert.equal(logins, 0)
  })

  it('the same token is not the same right: who slept stages nothing any more (gcp)', async () => {
    const world = await open('gcp', 'a')
    let between = ''
    const fault: Fault = {
      at: 1, // between claim and stage
      mode: 'act',
      act: async () => {
        world.env.time += laterMs
        await world.run(world.newProcess(), { token })
        between = await world.currentText()
      },
    }
    const result = await world.run(world.newProcess([fault]), { token })
    assert.equal(result.outcome, 'unchanged')
    assert.equal(await world.currentText(), between)
    assert.equal(await publishedCount(world), 1)
  })

  it('a trigger that is delivered again after success does nothing', async () => {
    const world = await open('file', 'a')
    const at = world.env.time
    await world.run(world.newProcess(), { at })
    world.env.time += 1000
    assert.equal((await world.run(world.newProcess(), { at })).outcome, 'unchanged')
    assert.equal(await publishedCount(world), 1)
  })

  for (const profile of ['gcp', 'azure', 'vault', 'k8s', 'file'] as const) {
    it(`a claim on what was seen before another rotation is refused, also when the journal was lost since (${profile})`, async () => {
      const world = await open(profile, 'a')
      const seen = await world.store.describe(world.ref)
      await world.run(world.newProcess())
      memoryOf(world).wipeJournal(world.ref)
      await assert.rejects(world.store.claim(seen, { token, kind: 'rotate', holder: 'late', leaseMs: 1000 }), code('conflict'))
    })
  }

  it('minting removes nothing: a key that another process published under the same tag stays (vault, class C)', async () => {
    const world = await open('vault', 'c')
    const fault: Fault = {
      at: 1,
      mode: 'act',
      act: async () => {
        world.env.time += laterMs
        await world.run(world.newProcess(), { token })
      },
    }
    await world.run(world.newProcess([fault]), { token })
    assert.ok(world.accepts(await world.currentText()))
  })

  it('once the intent to publish stands, only finish runs, with the base as context (gcp, class F)', async () => {
    const world = await open('gcp', 'f')
    const effects = ['publish', 'publish.journal']
    for (const effect of effects) {
      const fresh = await open('gcp', 'f')
      await until(fresh, effect, 'before')
      const staged = (await fresh.store.describe(fresh.ref)).pending?.id
      fresh.env.time += laterMs
      const result = await fresh.run(fresh.newProcess(), { token })
      assert.deepEqual(result.steps, ['finish'])
      const ring = (JSON.parse(await fresh.currentText()) as { ring: { kid: string }[] }).ring
      assert.deepEqual([ring.length, ring.at(-1)?.kid], [2, 'kid-0'])
      assert.ok(effect === 'publish' ? staged !== undefined : staged === undefined)
    }
    assert.ok(world)
  })

  it('an answer to publish that was lost adds no second version, also when listings lag (gcp)', async () => {
    const world = await open('gcp', 'a')
    await until(world, 'publish', 'after', { token }, () => world.lagBehind())
    world.env.time += laterMs
    await world.run(world.newProcess(), { token })
    assert.equal(await publishedCount(world), 1)
  })

  it('what is left of a finished rotation blocks nothing (vault)', async () => {
    const world = await open('vault', 'a')
    await until(world, 'publish.drop', 'before')
    world.env.time += laterMs
    const state = await world.store.describe(world.ref)
    assert.deepEqual([state.pending, state.loose], [undefined, []])
    await world.run(world.newProcess())
    assert.equal(await publishedCount(world), 2)
  })

  it('an empty placeholder of a held step is no rotation in flight (aws)', async () => {
    const world = await open('aws', 'b')
    await world.runService(world.newProcess(), (await memoryOf(world).startNative(world.ref)) as Token)
    const second = await memoryOf(world).startNative(world.ref)
    await assert.rejects(world.runService(world.newProcess(), second), code('held'))
    world.env.time += laterMs * 8
    await world.runService(world.newProcess(), second)
    assert.equal(await publishedCount(world), 2)
  })

  it('resume finishes what is open and starts nothing', async () => {
    const world = await open('file', 'a')
    assert.equal((await world.run(world.newProcess(), { kind: 'resume' })).outcome, 'unchanged')
    assert.equal(await publishedCount(world), 0)
  })

  it('waiting until a new key is known uses no attempts up and throws nothing away (class C)', async () => {
    const world = await open('file', 'c')
    world.target.unknownFor = 5
    const result = await world.run(world.newProcess())
    assert.equal(result.outcome, 'published')
    assert.equal(world.target.keys.size, 2)
  })

  it('a retry without a journal tries current first: one refused login, not four (aws)', async () => {
    const world = await open('aws', 'a')
    const given = (await memoryOf(world).startNative(world.ref)) as Token
    await world.run(world.newProcess(), { token: given, step: 'create' })
    await assert.rejects(world.run(world.newProcess([{ at: 1, mode: 'after' }]), { token: given, step: 'set' }))
    await world.runService(world.newProcess(), given)
    assert.equal(world.target.logins.filter(({ accepted }) => !accepted).length, 1)
    assert.ok(world.accepts(await world.currentText()))
  })
})
