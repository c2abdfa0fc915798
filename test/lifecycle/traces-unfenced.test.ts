import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { Code } from '../../shared/core/ports/errors.js'
import type { RotationRequest, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { addConsumers } from '../harness/consumers.js'
import type { Fault, FaultMode } from '../harness/faults.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** The shortest traces on stores whose writes have no condition: what is current, whose it is, and when nothing may be written. */
type Unfenced = 'gcp' | 'azure'
const both: readonly Unfenced[] = ['gcp', 'azure']
const tokenOf = (name: string): Token => `token-of-${name}-0123456789-0123456789` as Token
const fails = (code: Code) => (cause: unknown) => codeOf(cause) === code
const dayMs = 86_400_000

let opened = 0
async function open(profile: Unfenced, rotator: MemoryClass) {
  const openStore = (env: World['env'], effects: ConstructorParameters<typeof MemoryStore>[2]) =>
    new MemoryStore(env, profiles[profile], effects)
  const world = await World.open(rotator, openStore, `unfenced-${++opened}`, { 'keyturn-consumers': 'c0-prompt' })
  const consumers = addConsumers(world, [['prompt', true]])
  const store = world.store as MemoryStore
  const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  const run = (request: Partial<RotationRequest> = {}, faults: readonly Fault[] = []) => world.run(world.newProcess(faults), request)
  const state = () => world.store.describe(world.ref)
  const told = () => consumers[0]?.told ?? []
  await tell()
  return { world, store, tell, run, state, told }
}
type Opened = Awaited<ReturnType<typeof open>>

/** A rotation with trouble at the named effect; the trouble may be somebody else acting there. How it ended. */
async function troubled(
  world: Opened,
  profile: Unfenced,
  rotator: MemoryClass,
  effect: string,
  mode: FaultMode,
  act: () => Promise<void> = async () => {},
) {
  const dry = await open(profile, rotator)
  dry.world.target.refuseNext = world.world.target.refuseNext
  const process = dry.world.newProcess()
  await dry.world.run(process, { token: tokenOf('one') })
  const at = process.effects.indexOf(effect)
  assert.ok(at >= 0, `${effect} is not among ${process.effects.join()}`)
  return world.run({ token: tokenOf('one') }, [{ at, mode, act }]).then(({ outcome }) => outcome, codeOf)
}

/** A rotation that is announced, and grace that is over. */
async function rotated(world: Opened, name: string): Promise<string | undefined> {
  await world.run({ token: tokenOf(name) })
  await world.tell()
  world.world.env.time += dayMs
  return (await world.state()).current?.id
}

for (const profile of both) {
  describe(`an add that came twice, or late (${profile})`, () => {
    it('twice: one publication, one event, one rollout', async () => {
      const it = await open(profile, 'b')
      const version = await rotated(it, 'one')
      it.store.disturb(it.world.ref, 'late add')
      const { current, previous } = await it.state()
      assert.equal(current?.id, version)
      assert.notEqual(previous?.id, version)
      const before = it.told().length
      assert.equal((await it.tell()).outcome, 'none')
      assert.equal(it.told().length, before)
    })

    it('a late copy of what was current is not somebody else: the next rotation publishes', async () => {
      const it = await open(profile, 'a')
      await rotated(it, 'one')
      const outcome = await it
        .run({ token: tokenOf('two') }, [{ at: 5, mode: 'act', act: async () => it.store.disturb(it.world.ref, 'late add') }])
        .then((result) => result.outcome, codeOf)
      assert.equal(outcome, 'published')
      assert.equal(await it.world.published(), 2)
    })

    it('after a younger rotation: the target refuses it, nobody is told of it, and the younger value is published again', async () => {
      const it = await open(profile, 'a')
      await rotated(it, 'one')
      await rotated(it, 'two')
      const good = await it.world.currentText()
      it.store.disturb(it.world.ref, 'older add')
      const late = (await it.state()).current?.id
      await it.tell()
      assert.equal(await it.world.currentText(), good)
      assert.ok(it.world.accepts(good))
      assert.ok(!it.told().some(({ version }) => version === late))
      assert.equal(it.told().at(-1)?.version, (await it.state()).current?.id)
    })

    it('between our test and our publication: nothing is written over it, and what the target accepts takes its place', async () => {
      const it = await open(profile, 'a')
      await rotated(it, 'zero')
      await rotated(it, 'younger')
      const end = await troubled(it, profile, 'a', 'publish.intent', 'act', async () => it.store.disturb(it.world.ref, 'older add'))
      assert.equal(end, 'foreign_write')
      it.world.env.time += laterMs
      await it.run({ kind: 'resume' })
      assert.ok(it.world.accepts(await it.world.currentText()))
      await it.tell()
      const { journal, current, loose } = await it.state()
      assert.deepEqual([journal?.code, it.told().at(-1)?.version], [undefined, current?.id])
      await it.run({ kind: 'resume' })
      assert.deepEqual((await it.state()).loose, [], `${loose.length} before`)
    })

    it('its event has an id of its own, and the same one after the journal was lost', async () => {
      const it = await open(profile, 'b')
      await rotated(it, 'one')
      const id = it.told().at(-1)?.id
      it.store.wipeJournal(it.world.ref)
      await it.tell()
      assert.equal(it.told().at(-1)?.id, id)
      it.store.writeForeign(it.world.ref, new SecretText(it.world.firstValue))
      it.store.disturb(it.world.ref, 'late add')
      await it.tell()
      assert.notEqual(it.told().at(-1)?.id, id)
    })
  })

  describe(`what nothing explains is proven first (${profile})`, () => {
    it('a value that the target refuses: stuck, nobody is told, and no second login', async () => {
      const it = await open(profile, 'a')
      await rotated(it, 'one')
      it.store.writeForeign(it.world.ref, new SecretText(it.world.firstValue.replace('first', 'a-typing-mistake')))
      const before = it.told().length
      await assert.rejects(it.tell(), fails('stuck'))
      const logins = it.world.target.logins.length
      assert.equal((await it.tell()).outcome, 'waiting')
      assert.deepEqual([it.told().length, it.world.target.logins.length], [before, logins])
    })

    it('a value that it accepts: one login, then everybody is told', async () => {
      const it = await open(profile, 'a')
      await rotated(it, 'one')
      await it.world.writeByHand()
      const logins = it.world.target.logins.length
      await it.tell()
      assert.equal(it.world.target.logins.length, logins + 1)
      assert.equal(it.told().at(-1)?.version, (await it.state()).current?.id)
    })

    it('somebody writes while it is proven: that says nothing about the newer value', async () => {
      const it = await open(profile, 'a')
      await it.world.writeByHand()
      const act = () => it.world.writeByHand()
      await it.world.act(it.world.newProcess([{ at: 0, mode: 'act', act }]), (deps) => announce(deps, it.world.ref.shown))
      const { journal, current } = await it.state()
      assert.deepEqual([journal?.code, journal?.announced], [undefined, current?.id])
    })

    it('a rotation has set its value already and the journal is lost: current is refused, and nothing is stuck', async () => {
      const it = await open(profile, 'a')
      await troubled(it, profile, 'a', 'target.set', 'after')
      assert.ok(!it.world.accepts(it.world.firstValue))
      it.store.wipeJournal(it.world.ref)
      it.world.env.time += laterMs
      await it.tell()
      assert.equal((await it.state()).journal?.code, undefined)
      await it.run({ kind: 'resume' })
      assert.ok(it.world.accepts(await it.world.currentText()))
    })
  })

  describe(`publish walks all that follows base (${profile})`, () => {
    it('ours is there and somebody else behind it: ours is noted, and in the same write that theirs is unproven', async () => {
      const it = await open(profile, 'b')
      await troubled(it, profile, 'b', 'publish', 'after')
      const ours = (await it.state()).current?.id
      assert.equal((await it.state()).pending?.token, tokenOf('one'), 'until it is noted, its value is pending')
      await it.world.writeByHand()
      it.world.env.time += laterMs
      const before = profile === 'gcp' ? ['claim'] : ['claim', 'lease.renew']
      const dying = it.world.newProcess([{ at: before.length, mode: 'after' }])
      await assert.rejects(it.world.run(dying, { kind: 'resume' }))
      assert.deepEqual(dying.effects, [...before, 'publish.journal'])
      const { journal, current } = await it.state()
      assert.deepEqual([journal?.rotation?.published, journal?.unproven], [ours, current?.id])
    })

    it('a clean rotation makes eight changes, and what consumers read is added once, with an alias or within a lease that is renewed', async () => {
      const it = await open(profile, 'a')
      const process = it.world.newProcess()
      await it.world.run(process)
      const written = process.effects.filter((name) => !name.startsWith('target.'))
      const staging = ['claim', 'stage.value', 'stage.name', 'publish.intent', 'publish.journal', 'publish.drop']
      assert.deepEqual(
        written.filter((name) => !staging.includes(name)),
        profile === 'gcp' ? ['publish', 'publish.alias'] : ['lease.renew', 'lease.renew', 'lease.renew', 'publish'],
      )
      assert.equal(written.filter((name) => name !== 'lease.renew').length, profile === 'gcp' ? 8 : 7)
      assert.equal(it.store.aliasOf(it.world.ref), profile === 'gcp' ? (await it.state()).current?.id : undefined)
    })

    it('an alias follows after a crash, and does not move to what somebody else has overtaken', async () => {
      if (!('aliases' in profiles[profile])) return
      const it = await open(profile, 'b')
      await troubled(it, profile, 'b', 'publish', 'after')
      it.world.env.time += laterMs
      await it.run({ kind: 'resume' })
      assert.equal(it.store.aliasOf(it.world.ref), (await it.state()).current?.id)
      const other = await open(profile, 'b')
      await troubled(other, profile, 'b', 'publish', 'after')
      await other.world.writeByHand()
      other.world.env.time += laterMs
      await assert.rejects(other.run({ kind: 'resume' }), fails('foreign_write'))
      assert.equal(other.store.aliasOf(other.world.ref), undefined)
    })

    it('the process slept after its intent: nothing is added when the lease is almost over', async () => {
      const it = await open(profile, 'a')
      const act = async () => {
        it.world.env.time += laterMs
      }
      const dry = await open(profile, 'a')
      const clean = dry.world.newProcess()
      await dry.world.run(clean, { token: tokenOf('one') })
      const at = clean.effects.indexOf('publish.intent')
      const process = it.world.newProcess([{ at, mode: 'act', act }])
      assert.equal((await it.world.run(process, { token: tokenOf('one') })).outcome, 'published')
      const adds = profile === 'gcp' ? ['publish'] : ['lease.renew', 'publish']
      const effects = process.effects.slice(at)
      assert.deepEqual(effects.slice(effects.indexOf('claim'), effects.indexOf('claim') + 1 + adds.length), ['claim', ...adds])
      assert.ok(!effects.slice(0, effects.indexOf('claim')).includes('publish'))
    })

    it('a put of the very value that is current is a publication of its own', async () => {
      const it = await open(profile, 'a')
      const first = (await it.state()).current?.id
      await it.world.run(it.world.newProcess(), { kind: 'put', token: tokenOf('put') }, new SecretText(it.world.firstValue))
      const { current } = await it.state()
      assert.notEqual(current?.id, first)
      await it.tell()
      assert.equal(it.told().at(-1)?.version, current?.id)
    })
  })

  describe(`what was given up, and what was published (${profile})`, () => {
    it('a process that slept after a refusal removes nothing that another one has set since', async () => {
      const it = await open(profile, 'a')
      it.world.target.refuseNext = 1
      const act = async () => {
        it.world.env.time += laterMs
        const dying = it.world.newProcess([{ at: 2, mode: 'after' }])
        await it.world.run(dying, { token: tokenOf('one') }).catch(() => undefined)
        assert.ok(dying.effects.includes('target.set'), dying.effects.join())
      }
      await troubled(it, profile, 'a', 'discard.journal', 'act', act)
      it.world.env.time += laterMs
      await it.run({ kind: 'resume' })
      assert.ok(it.world.accepts(await it.world.currentText()))
    })

    it('died before the value was removed: nothing shows it any more', async () => {
      const it = await open(profile, 'a')
      it.world.target.refuseNext = 1
      await troubled(it, profile, 'a', 'discard.value', 'before')
      const { pending, loose, journal } = await it.state()
      assert.deepEqual([pending, loose, journal?.rotation?.refusals, journal?.condemned?.length], [undefined, [], 1, 1])
      it.world.env.time += laterMs
      assert.equal((await it.run({ token: tokenOf('one') })).outcome, 'published')
      const after = await it.state()
      assert.deepEqual([after.loose, after.journal?.condemned], [[], undefined])
    })

    it('a value that was kept twice: what the target refused is not taken up again from its copy', async () => {
      const it = await open(profile, 'a')
      it.world.target.refuseNext = 1
      let refused: string | undefined
      const act = async () => {
        const { pending } = await it.state()
        refused = (await it.store.read(it.world.ref, pending?.id as never)).reveal()
        it.store.disturb(it.world.ref, 'staged twice')
      }
      await troubled(it, profile, 'a', 'target.set', 'act', act)
      const { journal, loose } = await it.state()
      assert.deepEqual([await it.world.published(), journal?.condemned, loose], [1, undefined, []])
      assert.notEqual(await it.world.currentText(), refused)
    })

    it('the staged copy that a crash left is never loose, also when its version goes', async () => {
      const it = await open(profile, 'c')
      await troubled(it, profile, 'c', 'publish.drop', 'before')
      await it.tell()
      const old = (await it.state()).current?.id
      it.world.env.time += dayMs
      await rotated(it, 'two')
      assert.deepEqual((await it.state()).loose, [])
      it.store.wipeJournal(it.world.ref)
      await it.store.dispose(it.world.ref, old as never)
      assert.deepEqual((await it.state()).loose, [])
    })

    it('died after the add, somebody stores the same and the add comes once more: what it had replaced keeps an entry', async () => {
      const unannounced = async () => {
        const it = await open(profile, 'c')
        it.store.wipeJournal(it.world.ref)
        return it
      }
      const request = { kind: 'emergency', reason: 'test' } as const
      const dry = await unannounced()
      const process = dry.world.newProcess()
      await dry.world.run(process, request)
      const it = await unannounced()
      const { username } = JSON.parse(it.world.firstValue) as { username: string }
      await assert.rejects(it.run(request, [{ at: process.effects.indexOf('publish'), mode: 'after' }]))
      it.store.writeForeign(it.world.ref, new SecretText(await it.world.currentText()))
      it.store.disturb(it.world.ref, 'late add')
      await it.tell()
      const ids = (await it.state()).journal?.retiring.map(({ id }) => id as string)
      assert.deepEqual(ids, [username])
    })

    it('a rollback, and the journal is lost: the same request again does not go forward to what was left', async () => {
      const it = await open(profile, 'a')
      const at = it.world.env.time
      const first = it.world.firstValue
      await it.run({ token: tokenOf('one') })
      it.world.env.time += dayMs
      const asked = it.world.env.time
      await it.run({ kind: 'rollback', at: asked, reason: 'test' })
      const back = await it.world.currentText()
      assert.ok(at < asked && back === first)
      it.store.wipeJournal(it.world.ref)
      it.world.env.time += laterMs
      const again = await it.run({ kind: 'rollback', at: asked, reason: 'test' }).then(({ outcome }) => outcome, codeOf)
      assert.equal(again, 'held')
      assert.equal(await it.world.currentText(), back)
    })
  })

  describe(`lists that lag (${profile})`, () => {
    it('for hours: everything is asked by its number, so that two rotations run as ever', async () => {
      const it = await open(profile, 'a')
      it.store.disturb(it.world.ref, 'lag')
      const one = await rotated(it, 'one')
      const two = await rotated(it, 'two')
      assert.notEqual(one, two)
      assert.deepEqual([await it.world.published(), (await it.state()).previous?.id], [2, one])
      assert.ok(it.world.accepts(await it.world.currentText()))
    })

    it('and somebody writes: what they wrote is current all the same, and is proven and announced', async () => {
      const it = await open(profile, 'a')
      await rotated(it, 'one')
      it.store.disturb(it.world.ref, 'lag')
      await it.world.writeByHand()
      const theirs = await it.world.currentText()
      assert.ok(it.world.writtenByHand.has(theirs))
      await it.tell()
      assert.equal(it.told().at(-1)?.version, (await it.state()).current?.id)
    })

    it('a listed staged value that is gone is absent', async () => {
      const it = await open(profile, 'a')
      await troubled(it, profile, 'a', 'target.set', 'before')
      it.store.disturb(it.world.ref, 'lag')
      it.world.env.time += laterMs
      await it.run({ token: tokenOf('one') })
      const { pending, loose } = await it.state()
      assert.deepEqual([pending, loose], [undefined, []])
    })
  })
}
