import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { Consumer, Notifier } from '../../shared/core/ports/notifier.js'
import type { AnyRotator } from '../../shared/core/ports/rotator.js'
import type { ConsumerPhase, Policy, RotationRequest } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { type Retired, retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { revoke } from '../../shared/lifecycle/retirement/revoke.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** Retiring and revoking: who may end a credential when, also by a process that slept. */
const hourMs = 3_600_000
const dayMs = 24 * hourMs

let opened = 0
const open = (rotator: MemoryClass, policy: Policy = {}, profile: ProfileName = 'k8s'): Promise<World> =>
  World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `retire-${++opened}`, policy)

/** One required consumer that is as far as the test says. */
function follow(world: World): { phase: ConsumerPhase } {
  const standing: { phase: ConsumerPhase } = { phase: 'requested' }
  const consumer: Consumer = { key: 'one', kind: 'memory', required: true, settings: new SecretText('{}') }
  world.configuration = { ...noConfiguration, consumers: { one: consumer } }
  const notifier: Notifier = {
    kind: 'memory',
    preflight: async () => ({ verdict: 'ok' }),
    advance: async () => ({ ...standing, evidence: standing.phase }),
    classify: () => 'internal',
  }
  world.loadNotifier = async () => notifier
  return standing
}
const run = (world: World, request: Partial<RotationRequest> = {}, given?: SecretText) =>
  world.run(world.newProcess(), { reason: 'test', ...request }, given)
const act = <T>(world: World, what: (deps: Deps) => Promise<T>, more: Partial<Deps> = {}): Promise<T> =>
  world.act(world.newProcess(), (deps) => what({ ...deps, ...more }))
const tellAll = (world: World) => act(world, (deps) => announce(deps, world.ref.shown))
const retire = async (world: World, more: Partial<Deps> = {}): Promise<readonly Retired[]> =>
  (await act(world, (deps) => retirePass(deps, world.ref.shown), more)).entries
const revokeNow = (world: World) => act(world, (deps) => revoke(deps, world.ref.shown, 'it leaked'))
const entriesOf = async (world: World) => (await world.store.describe(world.ref)).journal?.retiring ?? []
const valid = (world: World, id: string): boolean => (world.target.accounts.get(id) ?? '') !== '' || world.target.keys.has(id)
const isCode = (code: string) => (cause: unknown) => codeOf(cause) === code
async function tried<T>(what: Promise<T>): Promise<T | string> {
  try {
    return await what
  } catch (cause) {
    if (cause instanceof RotationError) return cause.code
    throw cause
  }
}

/** The process that runs now sleeps once, right after the effect `name`, while `meanwhile` happens. */
function sleepAfter(world: World, name: string, meanwhile: () => Promise<unknown>): void {
  world.watch = async (done) => {
    if (done !== name) return
    world.watch = async () => {}
    await meanwhile()
  }
}

/** From app_a (or a first key) to the next credential; one required consumer, which followed; grace is over. */
async function readyToRetire(rotator: MemoryClass = 'b', policy: Policy = {}, profile: ProfileName = 'k8s') {
  const world = await open(rotator, { 'keyturn-consumers': 'one', ...policy }, profile)
  const consumer = follow(world)
  await tellAll(world)
  await run(world)
  await tellAll(world)
  consumer.phase = 'drained'
  world.env.time += 2 * hourMs
  return { world, consumer }
}

describe('a pass while others write all the time', () => {
  it('ends with what is done, and the next one goes on', async () => {
    const { world } = await readyToRetire()
    const note = world.store.note.bind(world.store)
    world.store.note = async () => {
      throw new RotationError('conflict', 'Another writer was faster.', { next: 'Look again.' })
    }
    assert.deepEqual(await retire(world), [])
    world.store.note = note
    assert.equal((await retire(world))[0]?.state, 'retired')
  })
})

describe('a process that slept while it retired', () => {
  it('between arming and retiring, beyond its lease: what became of the account meanwhile stays', async () => {
    const { world } = await readyToRetire()
    sleepAfter(world, 'note', async () => {
      world.env.time += laterMs
      await retire(world)
      world.env.time += 2 * hourMs
      await run(world) // app_a is current again
      await tellAll(world)
    })
    await tried(retire(world))
    assert.ok(world.accepts(await world.currentText()), 'current is locked')
  })
  for (const name of ['target.remove', 'dispose']) {
    it(`after ${name}: an entry that the account got since is not removed, nor its slot free`, async () => {
      const { world, consumer } = await readyToRetire()
      sleepAfter(world, name, async () => {
        for (let turn = 0; turn < 2; turn++) {
          world.env.time += 2 * hourMs
          await retire(world)
          await run(world)
          await tellAll(world)
        }
        consumer.phase = 'requested' // and stays on app_a
      })
      await tried(retire(world))
      assert.deepEqual(
        (await entriesOf(world)).map(({ id }) => id),
        ['app_a'],
      )
      world.env.time += 2 * hourMs
      await assert.rejects(run(world), isCode('held'))
    })
  }
  for (const isOver of [false, true]) {
    it(`another process that armed it and sleeps: ${isOver ? 'when its lease is over it is carried on with' : 'it is left alone while the lease lasts'}`, async () => {
      const { world } = await readyToRetire()
      let meanwhile: readonly Retired[] = []
      let until = 0
      const effects: string[] = []
      sleepAfter(world, 'note', async () => {
        const armed = (await entriesOf(world))[0]
        assert.equal(armed?.state, 'armed')
        until = armed?.leaseUntil ?? 0
        world.env.time = isOver ? until : until - 1
        world.watch = async (name) => void effects.push(name)
        meanwhile = await retire(world)
        world.watch = async () => {}
      })
      await tried(retire(world))
      if (isOver) assert.deepEqual([meanwhile[0]?.state, valid(world, 'app_a')], ['retired', false])
      else assert.deepEqual([meanwhile, effects], [[{ id: 'app_a', state: 'armed', why: 'another process retires it', again: until }], []])
    })
  }
  it('a recovery that needs the armed credential waits for its lease: current is never locked', async () => {
    const { world } = await readyToRetire()
    let end: unknown
    sleepAfter(world, 'note', async () => {
      world.target.accounts.set('app_b', 'changed by hand')
      end = await tried(act(world, (deps) => recover(deps, world.store, world.ref.shown, true)))
    })
    await tried(retire(world))
    const restored = typeof end === 'object' && end !== null && 'done' in end && end.done
    assert.ok(!restored || world.accepts(await world.currentText()), 'it was restored, and locked by the one that slept')
  })
  for (const rotator of ['a', 'c'] as const) {
    it(`a put of the armed credential is refused or survives: current is never locked (class ${rotator})`, async () => {
      const { world, consumer } = await readyToRetire(rotator)
      if (rotator === 'a') {
        world.target.accounts.set('app_x', 'another-login-0123456789')
        const other = { ...JSON.parse(world.firstValue), username: 'app_x', password: 'another-login-0123456789' }
        const old = await world.currentText()
        await run(world, { kind: 'put' }, new SecretText(JSON.stringify(other)))
        consumer.phase = 'requested'
        await tellAll(world)
        consumer.phase = 'drained'
        world.firstValue = old
        world.env.time += 2 * hourMs
      }
      sleepAfter(world, 'note', () => tried(run(world, { kind: 'put' }, new SecretText(world.firstValue))))
      await tried(retire(world))
      assert.ok(world.accepts(await world.currentText()), 'the value that was put is locked')
    })
  }
  it('a rollback to an armed account is refused, also where its entry names an older version', async () => {
    const { world } = await readyToRetire()
    const [second, first] = [await world.currentText(), world.firstValue]
    const store = world.store as MemoryStore
    store.writeForeign(world.ref, new SecretText(first))
    store.writeForeign(world.ref, new SecretText(second))
    await tellAll(world)
    world.env.time += 2 * hourMs
    let end: unknown
    sleepAfter(world, 'note', async () => {
      end = await tried(run(world, { kind: 'rollback' }))
    })
    await tried(retire(world))
    assert.ok(world.accepts(await world.currentText()), `current is locked; the rollback ended ${JSON.stringify(end)}`)
  })
  it('somebody writes the outgoing value back while the consumer is asked: what is current now is not locked', async () => {
    const { world } = await readyToRetire('b', {}, 'gcp')
    const { loadNotifier } = world
    world.loadNotifier = async (kind) => {
      ;(world.store as MemoryStore).writeForeign(world.ref, new SecretText(world.firstValue))
      world.loadNotifier = loadNotifier
      return loadNotifier(kind)
    }
    await tried(retire(world))
    assert.ok(world.accepts(await world.currentText()), 'current is locked')
  })
  it('two passes at once: one ends it, nobody fails', async () => {
    const { world } = await readyToRetire()
    const both = await Promise.all([retire(world), retire(world)])
    assert.deepEqual(await entriesOf(world), [])
    assert.ok(!valid(world, 'app_a'))
    assert.ok(both.flat().some(({ state }) => state === 'retired'))
  })
})

describe('one pass looks at every credential that left', () => {
  it('also at the eighth, while seven before it cannot be armed', async () => {
    const world = await open('c')
    await tellAll(world)
    for (let turn = 0; turn < 8; turn++) {
      await run(world)
      await tellAll(world)
      world.env.time += 2 * hourMs
    }
    const last = (await entriesOf(world)).at(-1) ?? assert.fail('no entries')
    world.target.lastUsed.set(last.id, last.since)
    assert.equal((await retire(world)).length, 8)
    assert.ok(!valid(world, last.id), 'last used long ago, and still valid')
  })
})

/** Class B, which first only disables a login and ends it a day later. */
function twoPhases(world: World, calls: string[]): Partial<Deps> {
  const ends = new Map<string, number>()
  const wrap = (inner: AnyRotator): AnyRotator => ({
    ...inner,
    retire: async (context, id) => {
      calls.push(id)
      const end = ends.get(id) ?? world.env.time + dayMs
      ends.set(id, end)
      return world.env.time >= end ? inner.retire(context, id) : { done: false, again: end, why: 'held' }
    },
  })
  return { loadRotator: async (kind) => wrap(await loadRotator(kind)) }
}

describe('a credential that is disabled first and ends later', () => {
  it('is not asked for again before its time, and ends after it', async () => {
    const { world } = await readyToRetire()
    const calls: string[] = []
    const two = twoPhases(world, calls)
    assert.equal((await retire(world, two))[0]?.state, 'disabled')
    world.env.time += hourMs
    assert.equal((await retire(world, two))[0]?.state, 'disabled')
    assert.equal(calls.length, 1, 'asked before its time')
    world.env.time += dayMs
    assert.equal((await retire(world, two))[0]?.state, 'retired')
  })
  for (const kind of ['rollback', 'emergency'] as const) {
    it(`is not used by ${kind}`, async () => {
      const { world } = await readyToRetire()
      await retire(world, twoPhases(world, []))
      await assert.rejects(run(world, { kind }), isCode('held'))
    })
  }
})

describe('where this role may not write notes', () => {
  const denied = async (world: World): Promise<Partial<Deps>> => {
    world.store.note = async () => {
      throw new RotationError('denied', 'No right to write tags.', { next: 'Grant it.' })
    }
    return { journal: false }
  }
  it('rotations go on after grace, everybody is told, nothing is retired', async () => {
    const world = await open('b', { 'keyturn-consumers': 'one' })
    follow(world)
    const off = await denied(world)
    for (let turn = 0; turn < 3; turn++) {
      const { env, ref } = world
      const rotated = await act(world, (deps) => rotate(deps, { kind: 'rotate', ref: ref.shown, at: env.now() }), off)
      assert.equal(rotated.outcome, 'published')
      assert.equal((await act(world, (deps) => announce(deps, ref.shown), off)).outcome, 'unnoted')
      assert.deepEqual(await retire(world, off), [])
      world.env.time += 2 * hourMs
    }
    assert.ok(valid(world, 'app_a') && valid(world, 'app_b'))
  })
  it('the daily look does not become a login in every sweep, and a good answer is no failure', async () => {
    const world = await open('b')
    const off = await denied(world)
    world.env.time += 3 * dayMs
    const codes: unknown[] = []
    for (let pass = 0; pass < 6; pass++) {
      await act(
        world,
        async (deps) => {
          for await (const { action, code } of sweep(deps)) if (action === 'check') codes.push(code)
        },
        off,
      )
      world.env.time += 5 * 60_000
    }
    assert.deepEqual(
      codes.filter((code) => code !== undefined),
      [],
    )
    assert.ok(world.target.logins.length <= 1, `${world.target.logins.length} logins in half an hour`)
  })
})

describe('revoke --now', () => {
  it('a pair: ends the previous one at once, before grace and although its consumers stayed; current stays', async () => {
    const { world, consumer } = await readyToRetire()
    consumer.phase = 'requested'
    assert.equal((await revokeNow(world)).id, 'app_a')
    assert.ok(!valid(world, 'app_a') && world.accepts(await world.currentText()))
    assert.ok(world.audit.some(({ effect, reason }) => effect === 'memory-b.retire' && reason?.includes('it leaked')))
    await assert.rejects(revokeNow(world), isCode('bad_event'))
    await assert.rejects(run(world, { kind: 'rollback' }), isCode('bad_event'))
    assert.equal((await run(world)).outcome, 'published')
  })
  it('before it was announced: ends it, and the announcement is made all the same', async () => {
    const world = await open('b', { 'keyturn-consumers': 'one' })
    follow(world)
    await tellAll(world)
    await run(world)
    assert.equal((await revokeNow(world)).id, 'app_a')
    assert.equal((await tellAll(world)).outcome, 'announced')
    assert.deepEqual(await entriesOf(world), [])
  })
  it('keys: the one before current, not an older one', async () => {
    const world = await open('c')
    await tellAll(world)
    const ids: string[] = []
    for (let turn = 0; turn < 3; turn++) {
      ids.push((JSON.parse(await world.currentText()) as { username: string }).username)
      await run(world)
      await tellAll(world)
      world.env.time += 2 * hourMs
    }
    assert.equal((await revokeNow(world)).id, ids.at(-1))
    assert.ok(!valid(world, ids[2] ?? '') && valid(world, ids[0] ?? '') && valid(world, ids[1] ?? ''))
  })
  it('a single login whose old password is dead: no other account is ended instead, current stays', async () => {
    const { world } = await readyToRetire('a')
    const { id, state } = await revokeNow(world) // of the account in use its older sessions are ended, and nothing else
    assert.deepEqual([id, state], ['app_a', 'retired'])
    assert.ok(world.accepts(await world.currentText()))
    world.target.accounts.set('app_x', 'another-login-0123456789')
    const other = { ...JSON.parse(world.firstValue), username: 'app_x', password: 'another-login-0123456789' }
    await run(world, { kind: 'put' }, new SecretText(JSON.stringify(other)))
    await tellAll(world)
    await run(world) // from one password of app_x to the next
    await tellAll(world)
    await tried(revokeNow(world))
    assert.ok(world.accepts(await world.currentText()) && valid(world, 'app_a'), 'an older account was ended as the previous one')
  })
  it('with a rotation open that is about to use the account: held', async () => {
    const { world } = await readyToRetire()
    await run(world, { kind: 'emergency', step: 'create' })
    await assert.rejects(revokeNow(world), isCode('held'))
    await run(world, { kind: 'resume' })
    assert.ok(world.accepts(await world.currentText()))
  })
  for (const name of ['note', 'target.remove', 'dispose']) {
    it(`killed after ${name}, and said again or swept: it is ended, once and for good`, async () => {
      const { world, consumer } = await readyToRetire()
      consumer.phase = 'requested'
      const at = ['note', 'target.remove', 'dispose'].indexOf(name)
      const process = world.newProcess([{ at, mode: 'after' }])
      await assert.rejects(world.act(process, (deps) => revoke(deps, world.ref.shown, 'it leaked')))
      assert.equal(process.effects.at(-1), name)
      world.env.time += laterMs
      await retire(world)
      assert.deepEqual([valid(world, 'app_a'), await entriesOf(world)], [false, []])
    })
  }
})
