import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inferPolicy } from '../../shared/app/infer.js'
import { RotationError } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { type MemoryClass, World } from '../harness/world.js'

/** Current was overwritten by a placeholder (Terraform does that): the kind of credential is in an older version, or a flag names it. */
const placeholders = ['{"password":"CHANGE_ME"}', 'placeholder', '{}', '', '{"not": JSON', '"text"', '[]', 'null']
let opened = 0

/** `named`: how anybody knows what the secret holds. */
async function overwritten(rotator: MemoryClass, profile: ProfileName, text: string, named: 'policy' | 'value' | 'flag', times = 1) {
  const world = await World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `placeholder-${++opened}`)
  let good = world.firstValue
  if (named !== 'policy') await world.store.setPolicy(world.ref, { 'keyturn-rotator': null })
  const store = world.store as MemoryStore
  if (named === 'flag') {
    good = JSON.stringify({ ...JSON.parse(good), engine: undefined })
    store.writeForeign(world.ref, new SecretText(good))
  }
  for (let count = 0; count < times; count++) store.writeForeign(world.ref, new SecretText(text))
  const flag = named === 'flag' ? { environment: { 'keyturn-rotator': `memory-${rotator}` } } : {}
  const act = <T>(what: (deps: Deps) => Promise<T>): Promise<T> =>
    world.act(world.newProcess(), (deps) => what({ ...deps, infer: inferPolicy, ...flag }))
  return { world, good, act }
}

for (const named of ['policy', 'value', 'flag'] as const) {
  describe(`current is a placeholder; the kind is known by the ${named}`, () => {
    for (const [index, text] of placeholders.entries()) {
      const profile = (Object.keys(profiles) as ProfileName[])[index % 6] as ProfileName
      for (const rotator of ['a', 'b'] as const) {
        it(`recover restores the older value: ${text} (${profile}, class ${rotator})`, async () => {
          const { world, good, act } = await overwritten(rotator, profile, text, named, 3)
          const found = await act((deps) => recover(deps, world.store, world.ref.shown, true))
          assert.deepEqual([found.action.do, found.done], ['restore', true])
          assert.equal(await world.currentText(), good)
          assert.ok(world.target.logins.every(({ accepted }) => accepted))
        })
        it(`rollback publishes the previous value, and sets nothing: ${text} (${profile}, class ${rotator})`, async () => {
          const { world, good, act } = await overwritten(rotator, profile, text, named)
          const at = world.env.time
          const { outcome } = await act((deps) => rotate(deps, { kind: 'rollback', ref: world.ref.shown, at, reason: 'test' }))
          assert.equal(outcome, 'published')
          assert.equal(await world.currentText(), good)
          assert.ok(world.target.logins.every(({ accepted }) => accepted))
        })
        it(`adopt changes nothing and names the command that restores: ${text} (${profile}, class ${rotator})`, async () => {
          const { world, act } = await overwritten(rotator, profile, text, named)
          const before = await world.store.describe(world.ref)
          await assert.rejects(
            act((deps) => adopt(deps, world.store, world.ref.shown, { 'keyturn-rotator': `memory-${rotator}` })),
            (cause) => {
              assert.ok(cause instanceof RotationError)
              assert.equal(cause.code, 'bad_value')
              assert.match(cause.next, named === 'value' ? /keyturn recover memory:db --rotator memory-/ : /keyturn recover memory:db /)
              return true
            },
          )
          assert.deepEqual(await world.store.describe(world.ref), before)
        })
      }
    }
  })
}

describe('current is a placeholder', () => {
  it('and the target refuses the previous value: rollback publishes nothing, and points to recover', async () => {
    const { world, act } = await overwritten('a', 'k8s', 'placeholder', 'policy')
    world.target.accounts.set('app_a', 'changed by hand')
    const before = await world.store.describe(world.ref)
    const at = world.env.time
    await assert.rejects(
      act((deps) => rotate(deps, { kind: 'rollback', ref: world.ref.shown, at, reason: 'test' })),
      (cause) => cause instanceof RotationError && cause.code === 'bad_event' && /keyturn recover memory:db/.test(cause.next),
    )
    assert.deepEqual(await world.store.describe(world.ref), before)
  })
  it('a rollback that was killed anywhere and is typed again ends on the previous value', async () => {
    const request = { kind: 'rollback', reason: 'test' } as const
    for (const profile of ['gcp', 'k8s', 'file', 'vault', 'azure'] as const) {
      const rehearsal = await overwritten('a', profile, 'placeholder', 'policy')
      const dry = rehearsal.world.newProcess()
      await rehearsal.world.run(dry, request)
      for (const at of dry.effects.keys()) {
        const { world, good } = await overwritten('a', profile, 'placeholder', 'policy')
        await world.run(world.newProcess([{ at, mode: 'after' }]), request).catch(() => undefined)
        world.env.time += 16 * 60_000
        await world.run(world.newProcess(), request).catch(() => undefined)
        assert.equal(await world.currentText(), good, `${profile}: after ${dry.effects[at]}`)
      }
    }
  })
  it('no version says what the secret holds: the error names the flag', async () => {
    const { world } = await overwritten('a', 'k8s', 'placeholder', 'flag')
    await world.store.dispose(world.ref, [...(await versionsOf(world))].at(-1)?.id as never)
    await assert.rejects(
      world.act(world.newProcess(), (deps) => recover({ ...deps, infer: inferPolicy }, world.store, world.ref.shown, true)),
      (cause) => cause instanceof RotationError && cause.code === 'bad_policy' && /--rotator KIND/.test(cause.next),
    )
  })
})

async function versionsOf({ store, ref }: World) {
  const found = []
  for await (const info of store.history(ref)) found.push(info)
  return found
}
