import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { Code } from '../../shared/core/ports/errors.js'
import { type RotationRequest, type Step, steps, type Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { RotationResult } from '../../shared/lifecycle/secret/deps.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import type { FaultMode } from '../harness/faults.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

const tokenOf = (name: string): Token => `token-of-${name}-0123456789-0123456789` as Token
const token = tokenOf('one')
const engines = (Object.keys(profiles) as ProfileName[]).filter((name) => !profiles[name].serviceDriven)
const fails = (code: Code) => (cause: unknown) => codeOf(cause) === code

let opened = 0
const open = (profile: ProfileName, rotator: MemoryClass): Promise<World> =>
  World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `trace-${++opened}`)
const memory = ({ store }: World): MemoryStore => {
  assert.ok(store instanceof MemoryStore)
  return store
}
const run = (world: World, request: Partial<RotationRequest> = {}, given?: SecretText): Promise<RotationResult> =>
  world.run(world.newProcess(), request, given)

/** One rotation with trouble at the named effect; the trouble may be somebody else acting there. */
async function troubled(
  profile: ProfileName,
  rotator: MemoryClass,
  effect: string,
  mode: FaultMode,
  act?: (world: World) => Promise<void>,
) {
  const dry = await open(profile, rotator)
  const process = dry.newProcess()
  await dry.run(process, { token })
  const at = process.effects.indexOf(effect)
  assert.ok(at >= 0, `${effect} is not among ${process.effects.join()}`)
  const world = await open(profile, rotator)
  const fault = { at, mode, ...(act ? { act: () => act(world) } : {}) }
  const end = await world.run(world.newProcess([fault]), { token }).catch((cause: unknown) => cause)
  return { world, end }
}

const current = async (world: World) => JSON.parse(await world.currentText()) as Record<string, string> & { ring: { kid: string }[] }
const refusedLogins = ({ target }: World): number => target.logins.filter(({ accepted }) => !accepted).length
const published = (world: World): Promise<number> => world.published()
async function assertWorks(world: World): Promise<void> {
  assert.ok(world.accepts(await world.currentText()), 'the stored current value is refused')
  assert.equal((await world.store.describe(world.ref)).journal?.code, undefined)
}

describe('claim and stage', () => {
  for (const profile of engines) {
    it(`staged and applied, journal lost: whoever comes next takes the value that is in force (${profile}, replace)`, async () => {
      for (const request of [{ token }, { kind: 'resume' }, { kind: 'emergency', reason: 'test' }, {}] as const) {
        const { world } = await troubled(profile, 'a', 'target.set', 'after')
        memory(world).wipeJournal(world.ref)
        world.env.time += laterMs
        const inForce = world.target.accounts.get('app_a')
        const at = world.env.time
        await run(world, { ...request, at })
        await assertWorks(world)
        let kept = false
        for await (const { id } of world.store.history(world.ref))
          kept ||= (await world.store.read(world.ref, id)).reveal().includes(String(inForce))
        assert.ok(kept, 'the value that was in force is gone')
        assert.ok(refusedLogins(world) <= 1)
      }
    })

    it(`staged, never applied, journal lost: at most one refused login, and nothing is left over (${profile}, replace)`, async () => {
      const { world } = await troubled(profile, 'a', 'target.set', 'before')
      memory(world).wipeJournal(world.ref)
      world.env.time += laterMs
      await run(world, { kind: 'resume' })
      assert.deepEqual((await world.store.describe(world.ref)).loose, [])
      assert.ok(refusedLogins(world) <= 1)
      await assertWorks(world)
    })

    it(`described, another one rotates, the journal is lost, claimed: refused, and seen as done (${profile})`, async () => {
      const { world, end } = await troubled(profile, 'a', 'claim', 'act', async (other) => {
        await run(other, { token: tokenOf('other') })
        memory(other).wipeJournal(other.ref)
      })
      assert.equal((end as RotationResult).outcome, 'unchanged', String(end))
      assert.equal(await published(world), 1)
      await assertWorks(world)
    })

    it(`a trigger delivered twice, also late and without its token, rotates once (${profile})`, async () => {
      const world = await open(profile, 'a')
      const at = world.env.time
      await run(world, { at })
      for (const request of [{ at }, { at, token }, { at: at - 1, kind: 'emergency' as const, reason: 'test' }]) {
        world.env.time += laterMs
        assert.equal((await run(world, request)).outcome, 'unchanged')
      }
      assert.equal(await published(world), 1)
    })

    it(`a token that published long ago sets nothing any more (${profile}, replace)`, async () => {
      const world = await open(profile, 'a')
      for (const name of ['one', 'two', 'one']) {
        world.env.time += laterMs
        await run(world, { token: tokenOf(name) }).catch((cause: unknown) => assert.ok(codeOf(cause), String(cause)))
        assert.ok(world.accepts(await world.currentText()), `the stored current value is refused after ${name}`)
      }
    })
  }

  for (const profile of engines.filter((name) => profiles[name].stageWrites === 2)) {
    it(`minted and stored, not named: the only copy is adopted, without a login and without a second key (${profile}, class C)`, async () => {
      for (const wipe of [false, true]) {
        const { world } = await troubled(profile, 'c', 'stage.value', 'after')
        if (wipe) memory(world).wipeJournal(world.ref)
        world.env.time += laterMs
        const next = world.newProcess()
        await world.run(next, { kind: 'resume' })
        assert.equal(next.effects.filter((name) => name.startsWith('target.')).join(), 'target.login') // the test, and nothing before it
        assert.equal((await current(world)).username, 'key-2')
      }
    })

    it(`loose while its holder sleeps: looked at only after the lease, and the sleeper cannot name it then (${profile})`, async () => {
      let early: unknown
      const { world } = await troubled(profile, 'a', 'stage.name', 'act', async (other) => {
        early = await run(other, { kind: 'resume' }).catch(codeOf)
        assert.equal(other.target.logins.length, 0)
        other.env.time += laterMs
        await run(other, { kind: 'resume' })
        assert.equal(refusedLogins(other), 1)
      })
      assert.equal(early, 'locked')
      await assertWorks(world)
    })
  }
})

describe('publish and retry', () => {
  for (const profile of engines.filter((name) => profiles[name].publish === 'checked')) {
    it(`the answer to the write is lost: the same value goes on, the older key stays with it (${profile}, class F)`, async () => {
      for (const mode of ['lost', 'after'] as const) {
        const { world } = await troubled(profile, 'f', 'publish', mode)
        world.env.time += laterMs
        await run(world, { token })
        const { ring, username } = await current(world)
        assert.deepEqual(
          ring.map(({ kid }) => kid),
          [username, 'kid-0'],
        )
        assert.equal(await published(world), 1)
      }
    })

    it(`intent stands and the write never went out: the next one only finishes, and logs in nowhere (${profile})`, async () => {
      const { world } = await troubled(profile, 'a', 'publish', 'before')
      world.env.time += laterMs
      const logins = world.target.logins.length
      assert.deepEqual((await run(world, { kind: 'resume' })).steps, ['finish'])
      assert.equal(world.target.logins.length, logins)
      await assertWorks(world)
    })

    it(`somebody writes between test and publication: nothing is deleted, and it is said (${profile})`, async () => {
      const { world, end } = await troubled(profile, 'b', 'publish', 'act', async (other) => {
        memory(other).writeForeign(other.ref, new SecretText(other.firstValue.replace('stays', 'is theirs')))
      })
      assert.equal(codeOf(end), 'foreign_write')
      const ids = new Set<string>()
      for await (const { id } of world.store.history(world.ref)) ids.add(id)
      assert.equal(ids.size, 3)
    })
  }

  for (const profile of engines.filter((name) => profiles[name].bookkeeping === 'own-write')) {
    it(`what a finished rotation left staged is never pending, and blocks nothing (${profile})`, async () => {
      const { world } = await troubled(profile, 'a', 'publish.drop', 'before')
      const { pending, loose } = await world.store.describe(world.ref)
      assert.deepEqual([pending, loose], [undefined, []])
      world.env.time += laterMs
      assert.equal((await run(world, { kind: 'resume' })).outcome, 'unchanged')
      assert.equal((await run(world, { token: tokenOf('two') })).outcome, 'published')
      await assertWorks(world)
    })
  }

  it('a foreign value while a value waits: it is dropped only because current is seen to work (file, alternate)', async () => {
    const { world } = await troubled('file', 'b', 'target.login', 'before')
    const foreign = memory(world).writeForeign(world.ref, new SecretText(world.firstValue))
    world.env.time += laterMs * 8
    await run(world, { kind: 'resume' })
    const state = await world.store.describe(world.ref)
    assert.deepEqual([state.current?.id, state.pending, state.loose], [foreign, undefined, []])
    await assertWorks(world)
  })

  it('a foreign value that the target refuses while the waiting one works: stuck, and both are kept (file, replace)', async () => {
    const { world } = await troubled('file', 'a', 'target.set', 'after')
    memory(world).writeForeign(
      world.ref,
      new SecretText(JSON.stringify({ ...JSON.parse(world.firstValue), password: 'by-hand-0123456789' })),
    )
    world.env.time += laterMs
    await assert.rejects(run(world), fails('stuck'))
    const { pending } = await world.store.describe(world.ref)
    assert.ok(pending && world.accepts((await world.store.read(world.ref, pending.id)).reveal()))
  })

  it('somebody makes the waiting minted value current by hand: its key is not retired as a leftover (vault, class C)', async () => {
    const { world } = await troubled('vault', 'c', 'target.login', 'after')
    const { pending } = await world.store.describe(world.ref)
    assert.ok(pending)
    memory(world).writeForeign(world.ref, await world.store.read(world.ref, pending.id))
    world.env.time += laterMs
    await run(world, { kind: 'resume' })
    await assertWorks(world)
  })

  it('an empty placeholder of a held step is no rotation in flight (aws)', async () => {
    const world = await open('aws', 'b')
    await world.runService(world.newProcess(), await memory(world).startNative(world.ref))
    const held = await memory(world).startNative(world.ref)
    for (const step of ['create', 'create'] as const) await assert.rejects(served(world, held, step), fails('held'))
    assert.equal((await served(world, held, 'test')).outcome, 'step')
    world.env.time += laterMs * 8
    await world.runService(world.newProcess(), held)
    assert.equal(await published(world), 2)
    await assertWorks(world)
  })

  it('set again without a journal tries current first, and pending once (aws)', async () => {
    const world = await open('aws', 'a')
    const given = await memory(world).startNative(world.ref)
    for (const step of ['create', 'set', 'set'] as const) await served(world, given, step)
    assert.deepEqual(
      world.target.logins.map(({ accepted }) => accepted),
      [true, false, true],
    )
  })

  it('a new key that is not known yet is waited for, and not thrown away (class C)', async () => {
    const world = await open('file', 'c')
    world.target.unknownFor = 9
    const staged = world.env.time
    assert.equal((await run(world)).outcome, 'published')
    assert.ok(world.env.time - staged < 120_000)
    assert.deepEqual([...world.target.keys.keys()], ['key-1', 'key-2'])
  })
})

const served = (world: World, token: Token, step: Step) => world.serve(world.newProcess(), token, step)

/** As a person would write it: the value of now with another password. */
async function valueWith(world: World, password: string, more: Record<string, string> = {}): Promise<SecretText> {
  return new SecretText(JSON.stringify({ ...(await current(world)), ...more, password }))
}

describe('refused values', () => {
  for (const profile of engines) {
    it(`three refused in a row: stuck, and from then on refused before any login; the current value still works (${profile})`, async () => {
      const world = await open(profile, 'a')
      world.target.refuseNext = 99
      await assert.rejects(run(world), fails('stuck'))
      assert.equal(world.target.refuseNext, 99 - 3)
      const { length } = world.target.logins
      for (const kind of ['rotate', 'resume', 'emergency', 'rollback'] as const) {
        world.env.time += laterMs
        await assert.rejects(run(world, { kind, reason: 'test' }), fails('stuck'))
      }
      assert.equal(world.target.logins.length, length)
      assert.ok(world.accepts(await world.currentText()))
      assert.equal(await published(world), 0)
    })

    it(`two refused, the third is taken: nothing is left of the others (${profile})`, async () => {
      const world = await open(profile, 'a')
      world.target.refuseNext = 2
      assert.equal((await run(world)).outcome, 'published')
      const { pending, loose } = await world.store.describe(world.ref)
      assert.deepEqual([pending, loose], [undefined, []])
      await assertWorks(world)
    })

    for (const rotator of ['a', 'b'] as const) {
      it(`neither current nor pending is accepted: stuck, one login each, both kept (${profile}, class ${rotator})`, async () => {
        const { world } = await troubled(profile, rotator, 'target.set', 'after')
        for (const user of world.target.accounts.keys()) world.target.accounts.set(user, 'changed-by-hand')
        world.target.setPassword = async () => assert.ok(rotator === 'b', 'nothing lets us in, so nothing can be set')
        world.env.time += laterMs
        const before = world.target.logins.length
        await assert.rejects(run(world), fails('stuck'))
        const tried = world.target.logins.slice(before).map(({ user, secret }) => `${user}/${secret}`)
        assert.deepEqual([tried.length, new Set(tried).size], [2, 2])
        const { pending } = await world.store.describe(world.ref)
        assert.ok(pending?.hasValue)
        await assert.rejects(run(world, { kind: 'resume' }), fails('stuck'))
        assert.equal(world.target.logins.length, before + 2)
      })
    }
  }

  it('where a token holds one value for ever, a refused value ends it; the next rotation works (aws)', async () => {
    const world = await open('aws', 'a')
    const first = await memory(world).startNative(world.ref)
    world.target.refuseNext = 1
    await served(world, first, 'create')
    await assert.rejects(served(world, first, 'set'), fails('token_spent'))
    for (const step of steps) await assert.rejects(served(world, first, step), fails('token_spent'))
    await assertWorks(world)
    const second = await memory(world).startNative(world.ref)
    assert.notEqual(second, first)
    await world.runService(world.newProcess(), second)
    await assertWorks(world)
  })

  it('a rollback to a password that the target refuses tries it once, and stops nothing (file, alternate)', async () => {
    const world = await open('file', 'b')
    await run(world)
    world.target.accounts.set('app_a', 'changed-by-hand')
    await run(world, { kind: 'rollback' }).catch((cause: unknown) => assert.ok(codeOf(cause), String(cause)))
    assert.equal(refusedLogins(world), 1)
    await assertWorks(world)
  })
})

describe('a value that a person gives', () => {
  for (const profile of engines) {
    it(`is staged, tested and published, and never set at the target (${profile})`, async () => {
      const world = await open(profile, 'a')
      world.target.accounts.set('app_a', 'by-hand-0123456789')
      const steps: string[] = []
      world.watch = async (name) => void steps.push(name)
      const result = await run(world, { kind: 'put', token }, await valueWith(world, 'by-hand-0123456789'))
      assert.deepEqual(result.steps, ['create', 'test', 'finish'])
      assert.ok(!steps.includes('target.set'))
      assert.deepEqual([(await current(world)).password, refusedLogins(world)], ['by-hand-0123456789', 0])
    })

    it(`is refused by the target: one login, nothing is published, and the same command works after a correction (${profile})`, async () => {
      const world = await open(profile, 'a')
      await assert.rejects(run(world, { kind: 'put', token: tokenOf('typo') }, await valueWith(world, 'typo-0123456789')))
      assert.equal(refusedLogins(world), 1)
      await assertWorks(world)
      await run(world, { kind: 'put', token }, await valueWith(world, (await current(world)).password ?? '', { note: 'again' }))
      assert.equal((await current(world)).note, 'again')
      world.env.time += laterMs
      assert.equal((await run(world, { token: tokenOf('two') })).outcome, 'published')
    })

    it(`was never kept, since its process died: nobody waits for it (${profile})`, async () => {
      for (const [request, outcome] of [
        [{}, 'published'],
        [{ kind: 'resume' }, 'unchanged'],
        [{ kind: 'emergency', reason: 'test' }, 'published'],
      ] as const) {
        const world = await open(profile, 'a')
        const given = await valueWith(world, 'by-hand-0123456789')
        const process = world.newProcess([{ at: 0, mode: 'after' }])
        await assert.rejects(world.run(process, { kind: 'put', token }, given), () => process.dead)
        world.env.time += laterMs
        assert.equal((await run(world, request)).outcome, outcome)
        await assertWorks(world)
      }
    })

    it(`and has no rotator: a put whose process died anywhere is no obstacle to the next (${profile})`, async () => {
      const without = async () => {
        const world = await open(profile, 'a')
        await world.store.setPolicy(world.ref, { 'keyturn-rotator': null })
        return world
      }
      const dry = (await without()).newProcess()
      await (await without()).run(dry, { kind: 'put', token }, new SecretText('{"n":"1"}'))
      for (const [at, name] of dry.effects.entries()) {
        const world = await without()
        await assert.rejects(world.run(world.newProcess([{ at, mode: 'after' }]), { kind: 'put', token }, new SecretText('{"n":"1"}')))
        world.env.time += laterMs
        await run(world, { kind: 'put', token: tokenOf('two') }, new SecretText('{"n":"2"}'))
        assert.equal(await world.currentText(), '{"n":"2"}', `died after ${name}`)
      }
    })
  }
})
