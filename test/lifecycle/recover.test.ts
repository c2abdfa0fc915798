import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import type { SecretState } from '../../shared/core/ports/store.js'
import type { Policy, RotationRequest, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { revoke } from '../../shared/lifecycle/retirement/revoke.js'
import { type Recovery, recover, safeAction, type Tried } from '../../shared/lifecycle/rotation/recover.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** recover: what it tries, what it says, and what is left when it dies. */
const hourMs = 3_600_000
const engines = (Object.keys(profiles) as ProfileName[]).filter((name) => !profiles[name].serviceDriven)

let opened = 0
const open = (rotator: MemoryClass, profile: ProfileName = 'k8s', policy: Policy = {}): Promise<World> =>
  World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `recover-${++opened}`, policy)
const run = (world: World, request: Partial<RotationRequest> = {}, given?: SecretText) =>
  world.run(world.newProcess(), { reason: 'test', ...request }, given)
const act = <T>(world: World, what: (deps: Deps) => Promise<T>): Promise<T> => world.act(world.newProcess(), what)
const recoverNow = (world: World, yes = true): Promise<Recovery> => act(world, (deps) => recover(deps, world.store, world.ref.shown, yes))
const tellAll = (world: World) => act(world, (deps) => announce(deps, world.ref.shown))
const stateOf = (world: World): Promise<SecretState> => world.store.describe(world.ref)
async function tried<T>(what: Promise<T>): Promise<T | string> {
  try {
    return await what
  } catch (cause) {
    if (cause instanceof RotationError) return cause.code
    throw cause
  }
}
const refusals = (world: World): number => world.target.logins.filter(({ accepted }) => !accepted).length
const withPassword = (text: string, password: string): string => JSON.stringify({ ...JSON.parse(text), password })
const passwordOf = (text: string): string => (JSON.parse(text) as { password: string }).password

/** A pair whose rotation stands before its publication, or class A in the middle; then stuck. */
async function stuck(rotator: MemoryClass, profile: ProfileName = 'k8s'): Promise<World> {
  const world = await open(rotator, profile)
  await tellAll(world)
  await run(world)
  await tellAll(world)
  world.env.time += 2 * hourMs
  world.target.accounts.set('app_a', 'changed by hand')
  world.target.accounts.set('app_b', 'changed by hand')
  if (rotator === 'a') assert.equal(await tried(run(world)), 'stuck')
  return world
}

describe('the safe action, for every answer of the target', () => {
  const answers = ['works', 'refused', 'unknown', 'absent'] as const
  const stages = ['current', 'pending', 'previous', 'other'] as const
  const all = stages.reduce<(typeof answers)[number][][]>((lists, _) => lists.flatMap((list) => answers.map((one) => [...list, one])), [[]])
  for (const onCurrent of [true, false]) {
    for (const code of ['stuck', undefined] as const) {
      it(`names a version only if it works, and none while current may work (${onCurrent ? 'pending on current' : 'a leftover'}, ${code ?? 'not stuck'})`, () => {
        for (const combination of all) {
          if (combination[0] === 'absent') continue
          const found = stages.flatMap((stage, index): Tried[] => {
            const works = combination[index] ?? 'absent'
            return works === 'absent' ? [] : [{ version: stage as string as VersionId, stage, createdAt: 0, works }]
          })
          const pending = { id: 'pending', token: 't', base: onCurrent ? 'current' : 'older', createdAt: 0, hasValue: true }
          const state = {
            current: { id: 'current', createdAt: 0, hasValue: true },
            ...(combination[1] === 'absent' ? {} : { pending }),
            journal: { retiring: [], ...(code ? { code } : {}) },
          } as unknown as SecretState
          const action = safeAction(state, found, 0)
          const title = `${combination.join()} → ${action.do}`
          if (action.do === 'restore') assert.equal(found.find(({ version }) => version === action.version)?.works, 'works', title)
          if (combination[0] === 'works') assert.equal(action.do, code ? 'unstick' : 'nothing', title)
          else assert.ok(action.do !== 'nothing' && action.do !== 'unstick', title)
          if (combination[0] === 'unknown') assert.equal(action.do, 'by hand', title)
          if (action.do === 'resume') assert.ok(combination[1] === 'works' && onCurrent, title)
          const later = combination.slice(1)
          if (combination[0] === 'refused' && later.includes('works') && !later.includes('unknown'))
            assert.notEqual(action.do, 'by hand', title)
        }
      })
    }
  }
})

describe('what recover tries', () => {
  it('at most three refused logins per account, the likeliest first; the same value once', async () => {
    const world = await open('a')
    const store = world.store as MemoryStore
    for (let count = 0; count < 6; count++)
      store.writeForeign(world.ref, new SecretText(withPassword(world.firstValue, `wrong-${count}-0123456789`)))
    store.writeForeign(world.ref, new SecretText(withPassword(world.firstValue, 'wrong-5-0123456789')))
    const { tried: all, action, done } = await recoverNow(world)
    assert.equal(refusals(world), 3)
    assert.equal(all.length, 8)
    assert.deepEqual([action.do, done], ['by hand', false])
    assert.ok(all.some(({ works, why }) => works === 'unknown' && why?.includes('not tried')))
  })
  it('nothing is written where current works and nothing is stuck, nor without --yes', async () => {
    const well = await open('b')
    const before = await stateOf(well)
    assert.equal((await recoverNow(well)).action.do, 'nothing')
    assert.equal((await stateOf(well)).rev, before.rev)
    const world = await stuck('a')
    world.target.accounts.set('app_a', passwordOf(world.firstValue))
    const { rev } = await stateOf(world)
    assert.equal((await recoverNow(world, false)).done, false)
    assert.equal((await stateOf(world)).rev, rev)
  })
  it('a target that cannot be reached: by hand, and stuck stays', async () => {
    const world = await stuck('a')
    const { effects } = world.target
    world.target.effects = async () => {
      throw new RotationError('target_unreachable', 'No route.', { next: 'Look.' })
    }
    assert.equal((await recoverNow(world)).action.do, 'by hand')
    world.target.effects = effects
    assert.equal((await stateOf(world)).journal?.code, 'stuck')
  })
  it('garbage that somebody wrote past us is no credential: the version that works is restored', async () => {
    const world = await open('b')
    ;(world.store as MemoryStore).writeForeign(world.ref, new SecretText('oops'))
    const { action } = await recoverNow(world)
    assert.equal(action.do, 'restore', action.why)
    assert.ok(world.accepts(await world.currentText()))
  })
  it('over garbage that somebody wrote past us a good value can be put', async () => {
    const world = await open('b')
    ;(world.store as MemoryStore).writeForeign(world.ref, new SecretText('oops'))
    await tellAll(world)
    world.env.time += 2 * hourMs
    assert.equal(await tried(run(world, { kind: 'put' }, new SecretText(world.firstValue)).then(({ outcome }) => outcome)), 'published')
  })
  for (const [title, remove] of [
    ['recover', (world: World) => recoverNow(world)],
    ['revoke --now', (world: World) => act(world, (deps) => revoke(deps, world.ref.shown, 'it leaked'))],
    ['an emergency', (world: World) => run(world, { kind: 'emergency' })],
  ] as const) {
    it(`${title} is possible while keyturn-consumers names what the configuration does not have any more`, async () => {
      const world = title === 'recover' ? await stuck('a') : await open('b')
      if (title !== 'recover') await tellAll(world)
      if (title === 'revoke --now') await run(world)
      world.target.accounts.set('app_a', passwordOf(world.firstValue))
      await world.store.setPolicy(world.ref, { 'keyturn-consumers': 'gone' })
      const end = await tried<unknown>(remove(world))
      assert.notEqual(end, 'bad_config')
    })
  }
})

describe('more refused versions in front of a good one than one recovery may try', () => {
  /** The first value still works; `count` wrong ones were written over it. */
  async function buried(count: number, rotator: MemoryClass = 'a'): Promise<World> {
    const world = await open(rotator)
    const store = world.store as MemoryStore
    for (let wrong = 0; wrong < count; wrong++)
      store.writeForeign(world.ref, new SecretText(withPassword(world.firstValue, `wrong-${wrong}-0123456789`)))
    return world
  }
  const recoverAfter = (world: World, yes: boolean, after?: VersionId) =>
    act(world, (deps) => recover(deps, world.store, world.ref.shown, yes, { ...(after ? { after } : {}) }))

  for (const rotator of ['a', 'b'] as const) {
    it(`says how many are left, goes on behind the last one, and restores the good one (class ${rotator})`, async () => {
      const world = await buried(5, rotator)
      const { current } = await stateOf(world)
      const first = await recoverAfter(world, true)
      assert.deepEqual([first.action.do, first.left, first.done], ['by hand', 3, false])
      const [, , third] = first.tried
      assert.equal(first.after, third?.version)
      const second = await recoverAfter(world, true, first.after)
      assert.deepEqual([second.action.do, second.left, second.after, second.done], ['restore', 0, undefined, true])
      assert.equal(second.tried[0]?.version, current?.id)
      assert.ok(world.accepts(await world.currentText()))
      assert.equal(await world.currentText(), world.firstValue)
      if (rotator === 'a') assert.equal(refusals(world), 5, 'no refused login was repeated')
    })
  }
  it('never names a version behind --after while current works', async () => {
    const world = await open('b')
    await tellAll(world)
    await run(world) // app_b is current, and app_a still works
    const { current } = await stateOf(world)
    const found = await recoverAfter(world, true, current?.id)
    assert.deepEqual([found.action.do, found.done], ['nothing', false])
  })
  it('counts those beyond the twenty of one recovery, and reaches the last one', async () => {
    const world = await open('a')
    const store = world.store as MemoryStore
    for (let count = 0; count < 30; count++) store.writeForeign(world.ref, new SecretText(`oops ${count}`)) // not credentials: no login
    let found = await recoverAfter(world, true)
    assert.deepEqual([found.action.do, found.left], ['by hand', 31 - 22])
    found = await recoverAfter(world, true, found.after)
    assert.deepEqual([found.action.do, found.left, found.done], ['restore', 0, true])
    assert.equal(await world.currentText(), world.firstValue)
  })
  it('a version that is not there: not_found, and no login', async () => {
    const world = await open('a')
    assert.equal(await tried(recoverAfter(world, true, 'nowhere' as VersionId)), 'not_found')
    assert.equal(world.target.logins.length, 0)
  })
})

describe('restore', () => {
  for (const profile of engines) {
    for (const rotator of ['a', 'b'] as const) {
      it(`killed or cut anywhere, and said again: the value that works is current (${profile}, class ${rotator})`, async () => {
        const broken = async () => {
          const world = await stuck(rotator, profile)
          world.target.accounts.set('app_a', passwordOf(world.firstValue))
          return world
        }
        const rehearsal = await broken()
        const dry = rehearsal.newProcess()
        await rehearsal.act(dry, (deps) => recover(deps, rehearsal.store, rehearsal.ref.shown, true))
        assert.ok(rehearsal.accepts(await rehearsal.currentText()))
        for (const [at, name] of dry.effects.entries()) {
          for (const mode of ['before', 'after', 'lost', 'unsent'] as const) {
            const world = await broken()
            await world
              .act(world.newProcess([{ at, mode }]), (deps) => recover(deps, world.store, world.ref.shown, true))
              .catch(() => undefined)
            world.env.time += laterMs
            await run(world, { kind: 'resume' }).catch(() => undefined) // a sweep comes first
            world.env.time += laterMs
            await recoverNow(world)
            await run(world, { kind: 'resume' }).catch(() => undefined)
            const title = `${mode} at ${name}`
            assert.ok(world.accepts(await world.currentText()), `${title}: current is refused`)
            assert.equal((await stateOf(world)).journal?.code, undefined, title)
          }
        }
      })
    }
  }
  it('a value that is refused when it is tested once more: nothing is published, and it is stuck as before', async () => {
    const world = await stuck('a')
    const current = await world.currentText()
    world.target.accounts.set('app_a', passwordOf(world.firstValue))
    const { effects } = world.target
    world.target.effects = async (name, what) => {
      const result = await effects(name, what)
      if (name === 'target.login' && result === true) world.target.accounts.set('app_a', 'changed again')
      return result
    }
    await tried(recoverNow(world))
    world.target.effects = effects
    assert.equal(await world.currentText(), current)
    assert.equal((await stateOf(world)).journal?.code, 'stuck', 'stuck was taken away, and no value works')
  })
  it('killed right after its first write: still stuck, so that nobody logs in before a person looked', async () => {
    const world = await stuck('a')
    world.target.accounts.set('app_a', passwordOf(world.firstValue))
    const dry = await stuck('a')
    dry.target.accounts.set('app_a', passwordOf(dry.firstValue))
    const process = dry.newProcess()
    await dry.act(process, (deps) => recover(deps, dry.store, dry.ref.shown, true))
    const at = process.effects.findIndex((name) => !name.startsWith('target.'))
    await assert.rejects(world.act(world.newProcess([{ at, mode: 'after' }]), (deps) => recover(deps, world.store, world.ref.shown, true)))
    world.env.time += laterMs
    const before = world.target.logins.length
    await tried(run(world))
    assert.equal(world.target.logins.length, before, 'a rotation logged in, although no current value works')
  })
  it('leaves no entry unretired: what it replaced does not make the other account look current', async () => {
    const world = await open('b')
    await tellAll(world)
    await run(world)
    await tellAll(world)
    world.env.time += 2 * hourMs
    await run(world, { step: 'create' }) // a value for app_a
    world.target.accounts.set('app_b', 'changed by hand')
    assert.equal((await recoverNow(world)).action.do, 'restore')
    await tellAll(world)
    world.env.time += 2 * hourMs
    await run(world)
    await tellAll(world)
    const before = (await stateOf(world)).journal?.retiring.map(({ id }) => id)
    assert.deepEqual(before, ['app_a'])
    await act(world, (deps) => retirePass(deps, world.ref.shown))
    assert.deepEqual(
      (await stateOf(world)).journal?.retiring.map(({ id }) => id),
      before,
    )
  })
  it('while another process rotates: locked, and nothing of the state is changed', async () => {
    const world = await stuck('b')
    world.target.accounts.set('app_a', passwordOf(world.firstValue))
    const process = world.newProcess([{ at: 1, mode: 'before' }])
    await assert.rejects(world.run(process, {}))
    const { rev } = await stateOf(world)
    assert.equal(await tried(recoverNow(world)), 'locked')
    assert.equal((await stateOf(world)).rev, rev)
  })
  it('is announced: consumers hear of the version that was restored', async () => {
    const world = await stuck('b')
    world.target.accounts.set('app_a', passwordOf(world.firstValue))
    const { current } = await stateOf(world)
    assert.equal((await recoverNow(world)).action.do, 'restore')
    const { change } = await tellAll(world)
    assert.equal(change?.previous, current?.id)
  })
})
