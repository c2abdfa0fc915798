import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { Token } from '../../shared/core/ports/words.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import type { Disturbance } from '../../shared/stores/memory/others.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import type { Fault } from '../harness/faults.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** The shortest traces on a store whose versions have no order, whose journal is a blob under a lease, and whose staged values are elsewhere. */
let opened = 0
async function open(rotator: MemoryClass) {
  const world = await World.open(rotator, (env, effects) => new MemoryStore(env, profiles.azure, effects), `unordered-${++opened}`)
  const disturb = (event: Disturbance) => async () => (world.store as MemoryStore).disturb(world.ref, event)
  const run = async (faults: readonly Fault[] = []) => {
    const process = world.newProcess(faults)
    const outcome = await world.run(process).then((result) => result.outcome, codeOf)
    return { outcome, effects: process.effects }
  }
  const state = () => world.store.describe(world.ref)
  return { world, disturb, run, state, isGood: async () => world.accepts(await world.currentText()) }
}
/** Where an emergency after a publication claims. */
async function firstClaim(rotator: MemoryClass): Promise<number> {
  const it = await open(rotator)
  await it.run()
  it.world.env.time += laterMs
  const process = it.world.newProcess()
  await it.world.run(process, { kind: 'emergency', reason: 'test' })
  return process.effects.indexOf('claim')
}
const clean = async (rotator: MemoryClass) => (await (await open(rotator)).run()).effects

describe('a store whose versions have no order', () => {
  it('two rotations and a person within one second: each publication is told from the one before', async () => {
    const it = await open('b')
    const seen: (string | undefined)[] = [(await it.state()).current?.id]
    for (let turn = 0; turn < 3; turn++) {
      it.world.env.time = Math.ceil(it.world.env.time / 1000) * 1000
      await it.world.run(it.world.newProcess(), { kind: 'emergency', reason: 'test', at: it.world.env.time + turn })
      const { current, previous } = await it.state()
      assert.deepEqual([previous?.id, seen.includes(current?.id)], [seen.at(-1), false])
      seen.push(current?.id)
    }
    await it.world.writeByHand()
    const { current, previous } = await it.state()
    assert.deepEqual([previous?.id, current?.ours], [seen.at(-1), undefined])
  })

  it('a person writes in the second of base, between our test and our intent: nothing is written over it', async () => {
    for (const rotator of ['a', 'b', 'c', 'f'] as const) {
      const it = await open(rotator)
      const at = (await clean(rotator)).indexOf('publish.intent')
      const { outcome } = await it.run([{ at, mode: 'act', act: () => it.world.writeByHand() }])
      assert.equal(outcome, 'foreign_write', rotator)
      assert.equal(await it.world.published(), 0)
    }
  })

  it('a person writes between the last look and our add: it is detected, whatever the seconds say', async () => {
    for (const moved of [-9 * laterMs, 0]) {
      const it = await open('b')
      const at = (await clean('b')).indexOf('publish')
      const act = async () => {
        it.world.env.time += moved
        await it.world.writeByHand()
        it.world.env.time -= moved
      }
      const { outcome } = await it.run([{ at, mode: 'act', act }])
      assert.equal(outcome, 'foreign_write', `${moved} ms`)
      const { journal } = await it.state()
      assert.ok(journal?.rotation?.published !== undefined && journal.unproven !== undefined)
    }
  })

  it('the same, and the process dies after the add: whoever goes on detects it', async () => {
    for (const moved of [-9 * laterMs, 0]) {
      const it = await open('b')
      const at = (await clean('b')).indexOf('publish')
      const act = async () => {
        it.world.env.time += moved
        await it.world.writeByHand()
        it.world.env.time -= moved
      }
      await it.run([{ at, mode: 'after', act }])
      it.world.env.time += laterMs
      await assert.rejects(it.world.run(it.world.newProcess(), { kind: 'resume' }), (cause) => codeOf(cause) === 'foreign_write')
      const { journal, current } = await it.state()
      assert.deepEqual([journal?.unproven, journal?.rotation?.before], [current?.id, undefined])
    }
  })

  it('a write that meets another one is refused, and the state is read again: one publication', async () => {
    const effects = await clean('a')
    for (const effect of ['stage.value', 'publish']) {
      const it = await open('a')
      const { outcome, effects: all } = await it.run([{ at: effects.indexOf(effect), mode: 'act', act: it.disturb('overlap') }])
      assert.deepEqual([outcome, await it.world.published(), await it.isGood()], ['published', 1, true])
      assert.equal(all.filter((name) => name === effect).length, 2)
    }
  })

  it('the lease is broken: whoever had it writes nothing more under that claim', async () => {
    const isUnconditional = (name: string) => ['stage.value', 'publish', 'publish.drop'].includes(name) || name.startsWith('target.')
    const isLook = (name: string) => name === 'target.login'
    for (const rotator of ['a', 'b', 'c', 'f'] as const) {
      const effects = await clean(rotator)
      for (const [at, effect] of effects.entries()) {
        const before = effects.slice(0, at).findLast((name) => name !== 'target.login')
        if (!isLook(effect) && isUnconditional(effect) && effect !== 'publish.drop')
          assert.equal(before, effect === 'stage.value' && rotator === 'c' ? 'target.issue' : 'lease.renew', `${rotator}, ${effect}`)
        if (at === 0) continue
        const it = await open(rotator)
        const { outcome, effects: all } = await it.run([{ at, mode: 'act', act: it.disturb('lease broken') }])
        assert.deepEqual([outcome, await it.isGood()], ['published', true], `${rotator}, ${effect}`)
        const next = all.findIndex((name, n) => n >= at && !isUnconditional(name))
        if (next < 0) continue
        // What was on its way when the lease was broken arrives: one call of a port. Nothing follows it, but that a credential that was made is kept.
        const arrived = all.slice(at, next).filter((name) => !isLook(name))
        const may = effect === 'target.issue' ? 2 : isUnconditional(effect) ? 1 : 0
        assert.ok(arrived.length <= may, `${rotator}, ${effect}: ${all.join()}`)
        if (rotator === 'c') assert.equal(it.world.target.keys.size, 2, `${effect}: no credential is made that nobody knows of`)
        assert.equal(all[next + 1], 'claim', `${rotator}, ${effect}: ${all.join()}`)
      }
    }
  })

  it('a person writes right before the claim of an emergency: what they replaced is never shown as current again', async () => {
    const it = await open('b')
    await it.run()
    const shown: (string | undefined)[] = []
    const byHand = async () => {
      await it.world.writeByHand()
      it.world.watch = async () => void shown.push((await it.state()).current?.id)
    }
    const replaced = (await it.state()).current?.id
    const emergency = { kind: 'emergency', reason: 'test', token: 'token-0123456789-0123456789-abcdef' as Token } as const
    await it.world.run(it.world.newProcess([{ at: 1, mode: 'act', act: byHand }]), emergency).catch(codeOf)
    assert.ok(shown.length > 0 && !shown.includes(replaced), `${it.world.env.time} ${replaced}: ${shown.join()}`)
  })

  it('the same, and the process dies at any moment: whoever goes on publishes', async () => {
    const token = 'token-0123456789-0123456789-abcdef' as Token
    for (const rotator of ['a', 'b', 'c', 'f'] as const)
      for (let at = 2; ; at++) {
        const it = await open(rotator)
        await it.run()
        it.world.env.time += laterMs
        const process = it.world.newProcess([
          { at: await firstClaim(rotator), mode: 'act', act: () => it.world.writeByHand() },
          { at, mode: 'after' },
        ])
        await it.world.run(process, { kind: 'emergency', reason: 'test', token }).catch(codeOf)
        if (!process.dead) break
        it.world.env.time += laterMs
        await it.world.run(it.world.newProcess(), { kind: 'resume' }).catch(codeOf)
        assert.deepEqual([await it.isGood(), (await it.state()).journal?.code], [true, undefined], `${rotator}, ${process.effects.join()}`)
      }
  })

  it('the journal is gone: the next claim makes it again, and nobody has to', async () => {
    const effects = await clean('a')
    for (const effect of ['stage.name', 'target.set', 'publish.intent', 'publish.journal']) {
      const it = await open('a')
      const act = async () => (it.world.store as MemoryStore).wipeJournal(it.world.ref)
      const { outcome } = await it.run([{ at: effects.indexOf(effect), mode: 'act', act }])
      assert.deepEqual([outcome, await it.isGood(), await it.world.published()], ['published', true, 1], effect)
    }
  })

  it('and somebody else has taken it over: the old owner is locked out, and the new one ends the rotation', async () => {
    const at = (await clean('b')).lastIndexOf('lease.renew')
    const it = await open('b')
    const act = async () => {
      await it.disturb('lease broken')()
      it.world.env.time += laterMs
      await it.world.run(it.world.newProcess()).catch(() => undefined)
    }
    await it.run([{ at, mode: 'act', act }])
    assert.deepEqual([await it.world.published(), await it.isGood()], [1, true])
  })

  it('what is staged was deleted after it was set, with the journal or without: recover has it back, and nothing is lost', async () => {
    const at = (await clean('a')).indexOf('target.set')
    for (const event of ['place lost', 'all lost'] as const) {
      const it = await open('a')
      await it.run([{ at, mode: 'after', act: it.disturb(event) }])
      it.world.env.time += laterMs
      assert.equal(await it.isGood(), false)
      assert.equal((await it.run()).outcome, 'stuck')
      const found = await it.world.act(it.world.newProcess(), (deps) => recover(deps, it.world.store, it.world.ref.shown, true))
      assert.equal(found.done, true, `${event}: ${found.action.do}, ${found.action.why}`)
      await it.world.run(it.world.newProcess(), { kind: 'resume' })
      assert.deepEqual([await it.isGood(), (await it.state()).journal?.code], [true, undefined], event)
    }
  })
})
