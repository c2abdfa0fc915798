import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { RotationRequest, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { revoke } from '../../shared/lifecycle/retirement/revoke.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { changePolicy } from '../../shared/lifecycle/secret/adopt.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** A command that a person repeats, because it died or because its answer was lost, does what the person meant once. */
let opened = 0
const open = (rotator: MemoryClass, profile: ProfileName): Promise<World> =>
  World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `ways-back-${++opened}`)
const run = (world: World, request: Partial<RotationRequest> = {}, given?: SecretText) =>
  world.run(world.newProcess(), { reason: 'test', ...request }, given)
const act = <T>(world: World, what: (deps: Deps) => Promise<T>): Promise<T> => world.act(world.newProcess(), what)
const isCode = (code: string) => (cause: unknown) => codeOf(cause) === code
const userOf = async (world: World): Promise<string> => (JSON.parse(await world.currentText()) as { username: string }).username

/** The second of two credentials is current, and a person wants the first one back. */
async function rotated(rotator: MemoryClass, profile: ProfileName): Promise<{ world: World; good: string; bad: string }> {
  const world = await open(rotator, profile)
  const good = await userOf(world)
  await run(world)
  world.env.time += laterMs
  return { world, good, bad: await userOf(world) }
}

describe('a rollback that was killed and is typed again', () => {
  for (const profile of ['gcp', 'k8s', 'file'] as const) {
    for (const rotator of ['b', 'c'] as const) {
      it(`never ends on the credential that it left (${profile}, class ${rotator})`, async () => {
        const rehearsal = await rotated(rotator, profile)
        const dry = rehearsal.world.newProcess()
        await rehearsal.world.run(dry, { kind: 'rollback', reason: 'test' })
        for (const [at, name] of dry.effects.entries()) {
          for (const mode of ['before', 'after', 'lost'] as const) {
            const { world, good } = await rotated(rotator, profile)
            await world.run(world.newProcess([{ at, mode }]), { kind: 'rollback', reason: 'test' }).catch(() => undefined)
            world.env.time += laterMs
            await run(world, { kind: 'rollback' }).catch((cause: unknown) => assert.equal(codeOf(cause), 'bad_event', `${mode} ${name}`))
            assert.equal(await userOf(world), good, `${mode} ${name}`)
          }
        }
      })
      it(`stops where it first had to finish another rotation (${profile}, class ${rotator})`, async () => {
        const { world } = await rotated(rotator, profile)
        world.env.time += 8 * laterMs
        const dead = world.newProcess([{ at: 2, mode: 'after' }])
        await world.run(dead, { kind: 'emergency', reason: 'test' }).catch(() => undefined)
        world.env.time += laterMs
        await assert.rejects(run(world, { kind: 'rollback' }), isCode('held'))
        const { current } = await world.store.describe(world.ref)
        assert.ok(current?.ours !== undefined && world.accepts(await world.currentText()))
      })
    }
  }
})

describe('a revocation', () => {
  it('is refused while the secret is stuck: what it would end may be the only credential that works', async () => {
    const { world, good } = await rotated('b', 'k8s')
    const state = await world.store.describe(world.ref)
    world.target.accounts.set(await userOf(world), 'changed-by-hand-0123456789')
    await world.store.note(state, { code: 'stuck' })
    await assert.rejects(
      act(world, (deps) => revoke(deps, world.ref.shown, 'test')),
      isCode('stuck'),
    )
    assert.ok(world.target.accounts.get(good))
  })
})

describe('a value that a person puts', () => {
  const value = (world: World, password: string) => new SecretText(JSON.stringify({ ...JSON.parse(world.firstValue), password }))
  const token = (name: string) => `token-of-${name}-0123456789-0123456789` as Token

  it('takes the place of one that could not be tested, without another login for that one', async () => {
    const world = await open('a', 'k8s')
    const dead = world.newProcess([{ at: 2, mode: 'after' }])
    await world.run(dead, { kind: 'put', token: token('first') }, value(world, 'a-wrong-one-0123456789')).catch(() => undefined)
    const before = world.target.logins.length
    world.target.accounts.set('app_a', 'the-right-one-0123456789')
    world.env.time += laterMs
    const { outcome } = await run(world, { kind: 'put', token: token('second') }, value(world, 'the-right-one-0123456789'))
    assert.equal(outcome, 'published')
    assert.deepEqual(
      world.target.logins.slice(before).map(({ accepted }) => accepted),
      [true],
    )
    assert.match(await world.currentText(), /the-right-one/)
  })

  it('blocked by a rotation that cannot be finished: recover gives that one up where the target refuses it', async () => {
    const world = await open('a', 'k8s')
    await run(world, { step: 'create' })
    const found = await act(world, (deps) => recover(deps, world.store, world.ref.shown, true))
    assert.deepEqual([found.action.do, found.done], ['discard', true])
    const state = await world.store.describe(world.ref)
    assert.deepEqual([state.pending, state.loose], [undefined, []])
    assert.ok(world.accepts(await world.currentText()))
  })

  it('refused and given up leaves nothing open: the secret can be released', async () => {
    const world = await open('a', 'k8s')
    await assert.rejects(run(world, { kind: 'put', token: token('first') }, value(world, 'a-wrong-one-0123456789')), isCode('target_auth'))
    await world.store.release(world.ref)
    assert.equal((await world.store.describe(world.ref)).journal, null)
  })
})

describe('a release', () => {
  it('is held while a value is staged, also for who does not ask first', async () => {
    for (const profile of ['k8s', 'file', 'gcp'] as const) {
      const world = await open('a', profile)
      await run(world, { step: 'create' })
      await assert.rejects(world.store.release(world.ref), isCode('held'))
      assert.ok((await world.store.describe(world.ref)).pending?.hasValue)
    }
  })
})

describe('the test step by itself', () => {
  it('gives no value up: nobody can say that set was run before', async () => {
    const world = await open('a', 'k8s')
    await run(world, { step: 'create' })
    for (let turn = 0; turn < 3; turn++) await assert.rejects(run(world, { step: 'test' }), isCode('rejected'))
    assert.equal((await world.store.describe(world.ref)).journal?.code, undefined)
    assert.equal((await run(world, { kind: 'resume' })).outcome, 'published')
    assert.ok(world.accepts(await world.currentText()))
  })
})

describe('a policy that names its consumers by the old key', () => {
  it('is refused before anything is claimed, and one command gives it the new one', async () => {
    const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles.file, effects), `ways-back-${++opened}`, {
      'keyturn-targets': 'web',
    })
    const { journal } = await world.store.describe(world.ref)
    await assert.rejects(run(world), isCode('bad_policy'))
    assert.deepEqual((await world.store.describe(world.ref)).journal, journal)
    const patch = { 'keyturn-targets': null, 'keyturn-consumers': 'none' }
    await act(world, (deps) => changePolicy(deps, world.store, world.ref.shown, patch))
    await run(world)
  })
})
