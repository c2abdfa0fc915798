import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import { parsePolicy } from '../../shared/core/policy/index.js'
import type { Consumer, Notifier } from '../../shared/core/ports/notifier.js'
import type { SecretState } from '../../shared/core/ports/store.js'
import type { Policy, RotationRequest, SecretRef } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { type Planned, plan } from '../../shared/lifecycle/fleet/plan.js'
import { rotateFleet, wavesOf } from '../../shared/lifecycle/fleet/rotate-all.js'
import { type Swept, sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** What a sweep starts, when, and how often; what plan says of it; and the fleet in waves. */
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

let opened = 0
const open = (rotator: MemoryClass, policy: Policy = {}, profile: ProfileName = 'k8s'): Promise<World> =>
  World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `sweep-${++opened}`, policy)
const run = (world: World, request: Partial<RotationRequest> = {}) => world.run(world.newProcess(), { reason: 'test', ...request })
const act = <T>(world: World, what: (deps: Deps) => Promise<T>): Promise<T> => world.act(world.newProcess(), what)
const tellAll = (world: World) => act(world, (deps) => announce(deps, world.ref.shown))
async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of from) all.push(one)
  return all
}
const sweepOnce = (world: World): Promise<Swept[]> => act(world, (deps) => collect(sweep(deps)))
const planNow = (world: World): Promise<Planned[]> => act(world, (deps) => collect(plan(deps)))
const published = (world: World, ref: SecretRef = world.ref): Promise<number> => world.published(ref)
/** Another secret beside the first, at a target of its own. */
async function addSecret(world: World, name: string, policy: Policy = {}): Promise<{ ref: SecretRef; target: MemoryTarget }> {
  const target = new MemoryTarget()
  const at = `${name}-${opened}`
  setMemoryTarget(at, target)
  target.accounts.set('app_a', 'first-password-0123456789')
  const value = { engine: 'memory-a', target: at, username: 'app_a', password: 'first-password-0123456789' }
  const ref = await world.store.create(name, new SecretText(JSON.stringify(value)), { 'keyturn-rotator': 'memory-a', ...policy })
  return { ref, target }
}
function consumers(world: World, names: readonly string[]): void {
  const consumers = names.map((key): Consumer => ({ key, kind: 'memory', required: true, settings: new SecretText('{}') }))
  world.configuration = { ...noConfiguration, consumers: Object.fromEntries(consumers.map((consumer) => [consumer.key, consumer])) }
  const notifier: Notifier = {
    kind: 'memory',
    preflight: async () => ({ verdict: 'ok' }),
    advance: async () => ({ phase: 'drained', evidence: 'drained' }),
    classify: () => 'internal',
  }
  world.loadNotifier = async () => notifier
}
const _stateAt = (key: string, publishedAt: number): SecretState =>
  ({ ref: { store: storeKind('memory'), key, shown: `memory:${key}`, name: key }, publishedAt, journal: null }) as unknown as SecretState
const _settingsOf = (policy: Policy) => parsePolicy(policy, { shortGrace: false })

describe('a scheduled rotation starts once', () => {
  for (const rotator of ['a', 'b'] as const) {
    it(`two sweeps at once: one publication (class ${rotator})`, async () => {
      const world = await open(rotator, { 'keyturn-every': '30d' })
      world.env.time += 31 * dayMs
      await Promise.all([sweepOnce(world), sweepOnce(world), sweepOnce(world)])
      assert.equal(await published(world), 1)
    })
    it(`a second sweep comes while the first one announces: one publication (class ${rotator})`, async () => {
      const world = await open(rotator, { 'keyturn-every': '30d' })
      world.env.time += 31 * dayMs // never announced: due are announce and start
      await act(world, async (deps) => {
        let others = 0
        for await (const { action } of sweep(deps)) if (action === 'announce' && others++ === 0) await sweepOnce(world)
      })
      assert.equal(await published(world), 1)
    })
    it(`what is left of a wiped rotation is gone on with: that was the rotation that was due (class ${rotator})`, async () => {
      const world = await open(rotator, { 'keyturn-every': '30d' })
      await tellAll(world)
      world.env.time += 31 * dayMs
      await run(world, { step: 'create' })
      ;(world.store as MemoryStore).wipeJournal(world.ref)
      world.env.time += laterMs
      const swept = await sweepOnce(world)
      assert.equal(await published(world), 1)
      assert.deepEqual(
        swept.filter(({ code }) => code !== undefined),
        [],
      )
    })
  }
  it('sweeps for a year: as many rotations as the schedule says, and current always logs in', async () => {
    const world = await open('b', { 'keyturn-every': '30d' })
    const others = [
      await addSecret(world, 'one', { 'keyturn-every': '7d' }),
      await addSecret(world, 'two'),
      await addSecret(world, 'three', { 'keyturn-every': '90d', 'keyturn-mode': 'manual' }),
    ]
    for (let hour = 0; hour < 365 * 12; hour++) {
      await sweepOnce(world)
      world.env.time += 2 * hourMs
    }
    const counts = [await published(world), ...(await Promise.all(others.map(({ ref }) => published(world, ref))))]
    assert.ok((counts[0] ?? 0) >= 11 && (counts[0] ?? 0) <= 12, counts.join())
    assert.ok((counts[1] ?? 0) >= 50 && (counts[1] ?? 0) <= 52, counts.join())
    assert.deepEqual(counts.slice(2), [0, 0])
    assert.ok(world.accepts(await world.currentText()))
  })
})

describe('a sweep', () => {
  it('looks every day whether current still logs in, also while a rotation that is due is held', async () => {
    const world = await open('b', { 'keyturn-every': '7d', 'keyturn-consumers': 'one', 'keyturn-mode': 'auto' })
    consumers(world, ['one'])
    await tellAll(world)
    await run(world, { kind: 'emergency' })
    world.loadNotifier = async () => ({
      kind: 'memory',
      preflight: async () => ({ verdict: 'ok' }),
      advance: async () => ({ phase: 'requested', evidence: 'it does not follow' }),
      classify: () => 'internal',
    })
    const looks: number[] = []
    for (let day = 0; day < 40; day++) {
      world.env.time += dayMs
      if ((await sweepOnce(world)).some(({ action }) => action === 'check')) looks.push(day)
    }
    assert.ok(looks.length >= 35 && (looks.at(-1) ?? 0) >= 38, looks.join())
  })
  for (const profile of ['gcp', 'azure', 'vault', 'k8s', 'file'] as const) {
    for (const rotator of ['a', 'b', 'c'] as const) {
      it(`clears away what was made for a version that somebody replaced meanwhile (${profile}, class ${rotator})`, async () => {
        const world = await open(rotator, {}, profile)
        await run(world, { step: 'create' })
        const store = world.store as MemoryStore
        store.wipeJournal(world.ref)
        store.writeForeign(world.ref, new SecretText(world.firstValue.replace('stays', 'is theirs')))
        for (let pass = 0; pass < 3; pass++) {
          world.env.time += laterMs
          await sweepOnce(world)
        }
        assert.equal(await published(world), 0, 'clearing away starts no rotation')
        const { loose, pending } = await store.describe(world.ref)
        assert.deepEqual([loose, pending], [[], undefined])
        assert.ok(world.target.keys.size <= 1, 'a key that nobody stands for is left at the issuer')
        await store.release(world.ref)
      })
    }
  }
  it('does the good ones although one is damaged, and says which', async () => {
    const world = await open('a', { 'keyturn-every': '30d' })
    const bad = await addSecret(world, 'bad', { 'keyturn-every': '30d' })
    const good = await addSecret(world, 'good', { 'keyturn-every': '30d' })
    const torn = await addSecret(world, 'torn')
    const describeGood = world.store.describe.bind(world.store)
    world.store.describe = async (ref) => {
      if (ref.key === bad.ref.key) throw new RotationError('damaged', 'It was cut off.', { next: 'Bring it back.' })
      return describeGood(ref)
    }
    const list = world.store.list.bind(world.store)
    world.store.list = async function* (filter, failed) {
      for await (const state of list(filter)) {
        if (state.ref.key !== torn.ref.key) yield state
        else failed?.(state.ref.shown, new RotationError('damaged', 'It was cut off.', { next: 'Bring it back.' }))
      }
    }
    world.env.time += 31 * dayMs
    const swept = await sweepOnce(world)
    assert.deepEqual([await published(world), await published(world, good.ref)], [1, 1])
    assert.ok(swept.some(({ ref, code }) => ref === bad.ref.shown && code === 'damaged'))
    assert.ok(swept.some(({ ref, action, code }) => ref === torn.ref.shown && action === 'look' && code === 'damaged'))
  })
  it('makes no login at all once a secret is stuck', async () => {
    const world = await open('a', { 'keyturn-every': '30d' })
    world.target.accounts.set('app_a', 'changed by hand')
    await assert.rejects(run(world), (cause) => codeOf(cause) === 'stuck')
    const before = world.target.logins.length
    for (let day = 0; day < 60; day++) {
      world.env.time += dayMs
      await sweepOnce(world)
    }
    assert.equal(world.target.logins.length, before)
  })
  it('does not look for drift in a freeze or a pause', async () => {
    const world = await open('a')
    await tellAll(world)
    const freeze = { from: world.env.time, to: world.env.time + 30 * dayMs, reason: 'year end' }
    world.env.time += 3 * dayMs
    world.configuration = { ...noConfiguration, freezes: [freeze] }
    await sweepOnce(world)
    world.configuration = { ...noConfiguration, paused: true }
    await sweepOnce(world)
    assert.equal(world.target.logins.length, 0)
  })
  it('a put that died before its value was kept does not end the schedule: nobody else can go on with it', async () => {
    let world = await open('a')
    for (let at = 1; ; at++) {
      world = await open('a', { 'keyturn-every': '1d' })
      await tellAll(world)
      const given = new SecretText(world.firstValue.replace('first-password', 'given-password'))
      const dying = world.newProcess([{ at, mode: 'before' }])
      await assert.rejects(world.run(dying, { kind: 'put', reason: 'test' }, given))
      const { journal, pending, loose } = await world.store.describe(world.ref)
      if (journal?.rotation?.kind === 'put' && pending === undefined && loose.length === 0) break
    }
    const before = await published(world)
    for (let pass = 0; pass < 20; pass++) {
      world.env.time += dayMs / 4
      await sweepOnce(world)
    }
    assert.ok((await published(world)) >= before + 3, `${await published(world)}`)
    assert.ok(world.accepts(await world.currentText()))
  })

  it('goes on with a rotation that died between set and finish, although a consumer was taken out of the configuration', async () => {
    const world = await open('a', { 'keyturn-consumers': 'one' })
    consumers(world, ['one'])
    await tellAll(world)
    await run(world, { step: 'create' })
    await run(world, { step: 'set' })
    assert.ok(!world.accepts(await world.currentText()))
    world.configuration = noConfiguration
    world.env.time += laterMs
    await sweepOnce(world)
    assert.ok(world.accepts(await world.currentText()), 'locked out until somebody corrects keyturn-consumers')
  })
})

describe('plan says what a rotation then does', () => {
  const cases: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
    'nothing before': async () => undefined,
    paused: (world) => world.store.setPolicy(world.ref, { 'keyturn-mode': 'paused' }),
    'outside its window': (world) => world.store.setPolicy(world.ref, { 'keyturn-window': 'sun 02:00-03:00' }),
    'a bad policy': (world) => world.store.setPolicy(world.ref, { 'keyturn-grace': 'soon' }),
    'in grace': async (world) => [await tellAll(world), await run(world), await tellAll(world)],
    'not announced': async (world) => [consumers(world, ['one']), await world.store.setPolicy(world.ref, { 'keyturn-consumers': 'one' })],
    stuck: async (world) => world.store.note(await world.store.describe(world.ref), { code: 'stuck' }),
    'a dead rotation': async (world) => [await run(world, { step: 'create' }), await world.env.sleep(laterMs)],
    'a leftover': async (world) => [await run(world, { step: 'create' }), (world.store as MemoryStore).wipeJournal(world.ref)],
    'another process at work': async (world) => world.run(world.newProcess([{ at: 2, mode: 'before' }])).catch(() => undefined),
  }
  for (const [title, prepare] of Object.entries(cases)) {
    for (const rotator of ['a', 'b'] as const) {
      it(`${title} (class ${rotator})`, async () => {
        const world = await open(rotator)
        await prepare(world)
        const [{ rev }, logins] = [await world.store.describe(world.ref), world.target.logins.length]
        const [line] = await planNow(world)
        assert.deepEqual([(await world.store.describe(world.ref)).rev, world.target.logins.length], [rev, logins], 'plan only looks')
        const end = await run(world).then(
          ({ outcome }) => outcome as string,
          (cause) => codeOf(cause),
        )
        const expected =
          end === 'published'
            ? ['would start', 'would go on']
            : end === 'unchanged'
              ? ['done']
              : end === 'held' || end === 'locked'
                ? ['held']
                : ['refused']
        assert.ok(expected.includes(line?.rotation ?? ''), `plan: ${line?.rotation}; rotate: ${end}`)
      })
    }
  }
})

describe('the whole fleet', () => {
  it('one, then a tenth of the rest, then all; each once', () => {
    for (const count of [0, 1, 2, 3, 10, 11, 12, 101, 1000]) {
      const all = Array.from({ length: count }, (_, index) => index)
      const waves = wavesOf(all)
      assert.deepEqual(waves.flat(), all)
      assert.ok((waves[0]?.length ?? 1) === 1 && (waves[1]?.length ?? 0) <= Math.ceil(count / 10), `${count}`)
    }
  })
  const fleet = async (count: number) => {
    const world = await open('a')
    const secrets = []
    for (let index = 0; index < count; index++) secrets.push(await addSecret(world, `s-${String(index).padStart(2, '0')}`))
    const lines: string[] = []
    const rotateAll = () => act(world, (deps) => rotateFleet(deps, world.env, {}, (line) => void lines.push(line)))
    return { world, secrets, lines, rotateAll }
  }
  it('stops at the first failure, and says how many were not begun', async () => {
    const { world, secrets, rotateAll } = await fleet(20)
    secrets[4]?.target.accounts.set('app_a', 'changed by hand')
    const { rotated, failed, left } = await rotateAll()
    assert.equal(failed?.ref, 'memory:s-04')
    assert.equal(rotated.length + 1 + left, 21)
    assert.equal(await published(world, secrets[5]?.ref), 0)
  })
  it('does not begin the second wave before one secret of the first was rotated and verified', async () => {
    const { world, lines, rotateAll } = await fleet(20)
    await world.store.setPolicy(world.ref, { 'keyturn-mode': 'paused' }) // memory:db is the first
    const begun: string[] = []
    world.watch = async (name) => void (name === 'claim' && begun.push(String(lines.length)))
    assert.equal((await rotateAll()).rotated.length, 20)
    const first = begun.indexOf('2')
    assert.ok(begun.slice(0, first).length >= 1, 'the only secret of wave 1 was skipped, and wave 2 began with nothing verified')
  })
  it('interrupted: begins nothing more, and every secret that it touched logs in', async () => {
    const { world, secrets, rotateAll } = await fleet(6)
    world.watch = async (name) => {
      if (name === 'note' && (await published(world, secrets[2]?.ref)) === 1) world.env.abort.abort()
    }
    const { failed, left } = await rotateAll()
    assert.deepEqual([failed?.code, left], ['held', 2])
    for (const { ref, target } of secrets) {
      const { current } = await world.store.describe(ref)
      const text = current && (await world.store.read(ref, current.id)).reveal()
      assert.equal(target.accounts.get('app_a'), JSON.parse(text ?? '').password)
    }
  })
})
