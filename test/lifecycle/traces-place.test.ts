import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { Code } from '../../shared/core/ports/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { addConsumers } from '../harness/consumers.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** The staging place, and the journal on it, are deleted: nothing can be claimed, kept or noted until a person has it made again. */
const fails = (code: Code) => (cause: unknown) => codeOf(cause) === code
let opened = 0
async function open(profile: 'gcp' | 'azure', rotator: MemoryClass) {
  const world = await World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `place-${++opened}`, {
    'keyturn-consumers': 'c0-prompt',
  })
  const consumers = addConsumers(world, [['prompt', true]])
  const store = world.store as MemoryStore
  const lose = () => store.disturb(world.ref, 'place lost')
  const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
  const recovered = (yes = true) => world.act(world.newProcess(), (deps) => recover(deps, world.store, world.ref.shown, yes))
  await tell()
  return { world, lose, tell, recovered, told: () => consumers[0]?.told ?? [], state: () => world.store.describe(world.ref) }
}

/** Dies right after the named effect of a rotation. */
async function diedAfter({ world }: Awaited<ReturnType<typeof open>>, effect: string, profile: 'gcp' | 'azure'): Promise<void> {
  const dry = await open(profile, world.rotator)
  const process = dry.world.newProcess()
  await dry.world.run(process)
  const dying = world.newProcess([{ at: process.effects.indexOf(effect), mode: 'after' }])
  await world.run(dying).catch(() => undefined)
  assert.ok(dying.dead)
  world.env.time += laterMs
}

for (const profile of ['gcp', 'azure'] as const) {
  describe(`the staging place is lost (${profile})`, () => {
    it('whatever is asked: stuck, without a login or a write; nobody is told again and again', async () => {
      const it = await open(profile, 'a')
      it.lose()
      const before = [it.told().length, it.world.target.logins.length]
      for (const kind of ['rotate', 'resume', 'rollback', 'emergency', 'put'] as const) {
        const process = it.world.newProcess()
        const asked = it.world.run(process, { kind, reason: 'test' }, kind === 'put' ? new SecretText(it.world.firstValue) : undefined)
        await assert.rejects(
          asked,
          (cause) => fails('stuck')(cause) && /keyturn recover memory:db --yes/.test((cause as { next: string }).next),
        )
        assert.deepEqual(process.effects, [])
      }
      await assert.rejects(it.tell(), fails('stuck'))
      const swept = await it.world.act(it.world.newProcess(), async (deps) => {
        const all = []
        for await (const one of sweep(deps)) all.push(one)
        return all
      })
      assert.deepEqual(
        swept.map(({ action, code }) => [action, code]),
        [['announce', 'stuck']],
      )
      const { entries } = await it.world.act(it.world.newProcess(), (deps) => retirePass(deps, it.world.ref.shown))
      assert.deepEqual([entries, it.told().length, it.world.target.logins.length], [[], ...before])
    })

    it('recover says so, makes it again with --yes, and everything goes on', async () => {
      const it = await open(profile, 'a')
      await it.world.run(it.world.newProcess())
      it.lose()
      const said = await it.recovered(false)
      assert.deepEqual([said.action.do, said.done, (await it.state()).placeLost], ['unstick', false, true])
      const done = await it.recovered()
      assert.deepEqual([done.action.do, done.done, (await it.state()).placeLost], ['unstick', true, undefined])
      await it.tell()
      assert.equal(it.told().at(-1)?.version, (await it.state()).current?.id)
      it.world.env.time += 86_400_000
      assert.equal((await it.world.run(it.world.newProcess())).outcome, 'published')
    })

    for (const effect of ['the test', 'publish.intent', 'publish', 'publish.journal', 'publish.drop']) {
      it(`at ${effect}: the process that has just tested the value publishes it; nothing of it is lost`, async () => {
        const it = await open(profile, 'a')
        const dry = (await open(profile, 'a')).world
        const process = dry.newProcess()
        await dry.run(process)
        const at = effect === 'the test' ? process.effects.indexOf('publish.intent') - 1 : process.effects.indexOf(effect)
        const { outcome } = await it.world.run(it.world.newProcess([{ at, mode: 'act', act: async () => it.lose() }]))
        assert.equal(outcome, 'published')
        assert.ok(it.world.accepts(await it.world.currentText()))
        await assert.rejects(it.tell(), fails('stuck'))
        await it.recovered()
        await it.tell()
        assert.equal(it.told().at(-1)?.version, (await it.state()).current?.id)
        assert.equal((await it.state()).journal?.code, undefined)
      })
    }

    it('somebody else wrote at that moment: nothing is written over it', async () => {
      const it = await open(profile, 'b')
      const dry = (await open(profile, 'b')).world
      const process = dry.newProcess()
      await dry.run(process)
      const act = async () => {
        it.lose()
        await it.world.writeByHand()
      }
      const asked = it.world.run(it.world.newProcess([{ at: process.effects.indexOf('publish.intent'), mode: 'act', act }]))
      await assert.rejects(asked, fails('foreign_write'))
      assert.equal(await it.world.published(), 0)
      assert.ok(it.world.accepts(await it.world.currentText()))
    })

    it('after the set of a one-slot secret whose process is dead: it is had back; where it cannot be, a person sets one and puts it', async () => {
      const it = await open(profile, 'a')
      await diedAfter(it, 'target.set', profile)
      it.lose()
      const found = await it.recovered()
      if (profile === 'azure') {
        assert.deepEqual([found.action.do, found.done], ['resume', true])
        await it.world.run(it.world.newProcess(), { kind: 'resume' })
        return assert.ok(it.world.accepts(await it.world.currentText()))
      }
      assert.deepEqual([found.action.do, found.done, (await it.state()).journal?.code], ['by hand', false, 'stuck'])
      it.world.target.accounts.set('app_a', 'by-hand-0123456789')
      const right = it.world.firstValue.replace('first-password-0123456789abcdef', 'by-hand-0123456789')
      assert.equal((await it.world.run(it.world.newProcess(), { kind: 'put' }, new SecretText(right))).outcome, 'published')
      const { journal } = await it.state()
      assert.deepEqual([journal?.code, it.world.accepts(await it.world.currentText())], [undefined, true])
    })

    it('before anything was set: recover makes it again, and the next rotation begins', async () => {
      const it = await open(profile, 'b')
      await diedAfter(it, 'stage.name', profile)
      it.lose()
      assert.equal((await it.recovered()).done, true)
      await it.tell()
      assert.equal((await it.world.run(it.world.newProcess())).outcome, 'published')
    })
  })
}
