import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { Code } from '../../shared/core/ports/errors.js'
import type { RotationRequest, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { addConsumers } from '../harness/consumers.js'
import type { FaultMode } from '../harness/faults.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

const token = 'token-of-one-0123456789-0123456789' as Token
const fails = (code: Code) => (cause: unknown) => codeOf(cause) === code
const run = (world: World, request: Partial<RotationRequest> = {}, value?: SecretText) => world.run(world.newProcess(), request, value)
const versions = async (world: World): Promise<number> => {
  let count = 0
  for await (const _ of world.store.history(world.ref)) count++
  return count
}
const memoryOf = ({ store }: World): MemoryStore => {
  assert.ok(store instanceof MemoryStore)
  return store
}
let opened = 0

/** A rotation on a store whose writes have no condition, with trouble at one of its effects; one consumer that has to be told. */
async function troubled(profile: 'gcp' | 'azure', rotator: MemoryClass, effect: string, mode: FaultMode) {
  const open = async () => {
    const world = await World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `publish-${++opened}`, {
      'keyturn-consumers': 'c0-prompt',
    })
    const consumers = addConsumers(world, [['prompt', true]])
    await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    return { world, told: () => consumers[0]?.told.map(({ version }) => version) ?? [] }
  }
  const dry = (await open()).world
  const process = dry.newProcess()
  await dry.run(process, { token })
  const at = process.effects.indexOf(effect)
  assert.ok(at >= 0, `${effect} is not among ${process.effects.join()}`)
  const { world, told } = await open()
  const fault = { at, mode, act: mode === 'act' ? () => world.writeByHand() : async () => {} }
  const end = await world.run(world.newProcess([fault]), { token }).catch((cause: unknown) => cause)
  return { world, told, end }
}

for (const profile of ['gcp', 'azure'] as const) {
  describe(`a person writes while a publication is under way (${profile})`, () => {
    for (const rotator of ['a', 'b', 'c'] as const) {
      it(`after the intent, before the write: nothing is written over it, and everything starts from there (class ${rotator})`, async () => {
        const { world } = await troubled(profile, rotator, 'publish', 'before')
        await world.writeByHand()
        world.env.time += laterMs
        const before = await versions(world)
        await assert.rejects(run(world, { kind: 'resume' }), fails('foreign_write'))
        const { journal, current, pending } = await world.store.describe(world.ref)
        assert.deepEqual([await versions(world), journal?.rotation, current?.ours, pending], [before, undefined, undefined, undefined])
        await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
        world.env.time += 86_400_000
        await run(world, { kind: 'resume' })
        assert.deepEqual((await world.store.describe(world.ref)).loose, [], 'the value of the closed rotation is cleared away')
        assert.ok(world.accepts(await world.currentText()))
        assert.equal((await run(world)).outcome, 'published')
        assert.ok(world.accepts(await world.currentText()))
      })
    }

    it('a put of the right value goes on from what the person wrote, too', async () => {
      const { world } = await troubled(profile, 'a', 'publish', 'before')
      await world.writeByHand()
      const right = await world.currentText()
      world.env.time += laterMs
      await assert.rejects(run(world, { kind: 'resume' }), fails('foreign_write'))
      await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
      world.env.time += 86_400_000
      const { outcome } = await run(world, { kind: 'put' }, new SecretText(right.replace('"note":"stays"', '"note":"another"')))
      assert.equal(outcome, 'published')
      assert.match(await world.currentText(), /another/)
    })

    it('behind our write, before it is noted: ours is noted as published, and theirs is proven before anybody is told', async () => {
      const { world, told } = await troubled(profile, 'b', 'publish', 'after')
      await world.writeByHand()
      const theirs = (await world.store.describe(world.ref)).current?.id
      world.env.time += laterMs
      await assert.rejects(run(world, { kind: 'resume' }), fails('foreign_write'))
      assert.equal((await world.store.describe(world.ref)).journal?.unproven, theirs)
      const logins = world.target.logins.length
      await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
      assert.equal(world.target.logins.length, logins + 1)
      assert.equal(told().at(-1), theirs)
    })

    it('at the very moment of our write, and an emergency dies after its claim: what is current is still proven before anybody is told', async () => {
      const { world, told } = await troubled(profile, 'a', 'publish', 'act')
      const before = told().length
      const dying = world.newProcess([{ at: 0, mode: 'after' }])
      await world.run(dying, { kind: 'emergency', reason: 'a test' }).catch(() => undefined)
      assert.ok(dying.dead)
      world.env.time += laterMs
      await assert.rejects(
        world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown)),
        fails('stuck'),
      )
      assert.equal(told().length, before)
    })

    for (const text of ['CHANGE_ME', '{"username":"app_a","password":"a-typing-mistake-0123456789"}'])
      it(`before our write, and the target refuses it: told to nobody, and a put that one login proves is the way out (${text.length} characters)`, async () => {
        const { world, told } = await troubled(profile, 'a', 'publish', 'before')
        const { username, password } = JSON.parse(world.firstValue) as { username: string; password: string }
        memoryOf(world).writeForeign(world.ref, new SecretText(text))
        world.env.time += laterMs
        await assert.rejects(run(world, { kind: 'resume' }), fails('foreign_write'))
        const before = told().length
        await assert.rejects(
          world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown)),
          fails('stuck'),
        )
        assert.equal(told().length, before)
        world.target.accounts.set(username, password)
        assert.equal((await run(world, { kind: 'put' }, new SecretText(world.firstValue))).outcome, 'published')
        assert.ok(world.accepts(await world.currentText()))
      })

    it('at the very moment of our write: what the target refuses is told to nobody, tried once, and recover restores what works', async () => {
      const { world, told, end } = await troubled(profile, 'a', 'publish', 'act')
      assert.equal(codeOf(end), 'foreign_write')
      const before = told().length
      const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
      await assert.rejects(tell(), fails('stuck'))
      const logins = world.target.logins.length
      assert.equal((await tell()).outcome, 'waiting')
      assert.deepEqual([told().length, world.target.logins.length], [before, logins])
      await world.act(world.newProcess(), (deps) => recover(deps, world.store, world.ref.shown, true))
      assert.ok(world.accepts(await world.currentText()))
      await tell()
      assert.equal(told().at(-1), (await world.store.describe(world.ref)).current?.id)
    })
  })
}
