import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import type { Consumer, Notifier, Preflight } from '../../shared/core/ports/notifier.js'
import type { Seen } from '../../shared/core/ports/store.js'
import type { ConsumerPhase, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { seenBy } from '../../shared/lifecycle/consumers/deliver.js'
import { preflightPass } from '../../shared/lifecycle/consumers/preflight.js'
import { follow, type Progress } from '../../shared/lifecycle/fleet/follow.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { type Swept, sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { type MemoryClass, World } from '../harness/world.js'

const phases: readonly ConsumerPhase[] = ['requested', 'synced', 'verified', 'restarted', 'drained']
const minuteMs = 60_000
const weekMs = 7 * 24 * 60 * minuteMs

async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of from) all.push(one)
  return all
}

/** Rollouts that are one phase further at each look, and clusters that cannot be reached. */
class Rollouts {
  readonly world: World
  readonly at = new Map<string, number>()
  readonly looks: string[] = []
  readonly down = new Set<string>()
  readonly misset = new Set<string>()
  readonly failing = new Set<string>()
  /** Those that try again only once they are asked. */
  readonly asking = new Set<string>()
  /** No rollout gets further than this phase. */
  stuckAt = phases.length - 1
  pauseMs = 2000
  get arrived(): boolean {
    return [...this.at.values()].at(-1) === phases.length - 1
  }
  checked = (key: string): Preflight =>
    this.down.has(key)
      ? { verdict: 'unknown', why: 'out of reach' }
      : this.misset.has(key)
        ? { verdict: 'refuse', why: `${key} is created once`, next: 'Set refreshPolicy.' }
        : this.failing.has(key)
          ? { verdict: 'wait', why: `${key} is not synced.`, next: 'Look at it.', ...(this.asking.has(key) ? { asks: true } : {}) }
          : { verdict: 'ok' }
  private constructor(world: World) {
    this.world = world
  }
  static async open(rotator: MemoryClass, names: readonly string[], policy: Readonly<Record<string, string>> = {}): Promise<Rollouts> {
    const all = { 'keyturn-consumers': names.join(' ') || 'none', 'keyturn-grace': '30m', ...policy }
    const world = await World.open(
      rotator,
      (env, effects) => new MemoryStore(env, profiles.k8s, effects),
      `follow-${names.join()}-${rotator}`,
      all,
    )
    const rollouts = new Rollouts(world)
    const consumers = names.map((key): Consumer => ({ key, kind: 'memory', required: true, settings: new SecretText('{}') }))
    world.configuration = { ...noConfiguration, consumers: Object.fromEntries(consumers.map((consumer) => [consumer.key, consumer])) }
    const notifier: Notifier = {
      kind: 'memory',
      preflight: async ({ key }) => rollouts.checked(key),
      advance: async ({ version }, { key }) => rollouts.#advance(`${key} ${version}`, key),
      classify: (cause) => (cause instanceof RotationError ? cause.code : 'internal'),
    }
    world.loadNotifier = async () => notifier
    await rollouts.act((deps) => announce(deps, world.ref.shown))
    return rollouts
  }
  #advance(publication: string, key: string) {
    this.looks.push(key)
    if (this.asking.has(key))
      return { phase: 'requested' as const, evidence: `${key} was asked`, again: this.world.env.time + this.pauseMs }
    if (this.down.has(key)) throw new RotationError('delivery_failed', `${key} cannot be reached.`, { next: 'Wait.' })
    const next = Math.min(this.stuckAt, this.at.has(publication) ? (this.at.get(publication) ?? 0) + 1 : 0)
    this.at.set(publication, next)
    const phase = phases[next] ?? 'requested'
    return { phase, evidence: `${key} is ${phase}`, ...(phase === 'drained' ? {} : { again: this.world.env.time + this.pauseMs }) }
  }
  act = <T>(what: (deps: Deps) => Promise<T>): Promise<T> => this.world.act(this.world.newProcess(), what)
  sweep = (laterMs = 5 * minuteMs): Promise<Swept[]> => {
    this.world.env.time += laterMs
    return this.act((deps) => collect(sweep(deps)))
  }
  async phaseOf(key: string): Promise<string | undefined> {
    const { journal, current } = await this.world.store.describe(this.world.ref)
    const seen = journal?.seen?.[key]
    return seen?.version === current?.id ? seen?.phase : undefined
  }
}

describe('consumers that are on their way', () => {
  for (const rotator of ['a', 'b'] as const) {
    it(`class ${rotator}: each sweep looks how far they are until they have arrived, whether or not a credential waits for them; then no more`, async () => {
      const rollouts = await Rollouts.open(rotator, ['web'])
      for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
      assert.equal(await rollouts.phaseOf('web'), 'drained')
      await rollouts.world.run(rollouts.world.newProcess())
      const seen: (string | undefined)[] = []
      for (let pass = 0; pass < 8; pass++) {
        await rollouts.sweep()
        seen.push(await rollouts.phaseOf('web'))
      }
      assert.equal(seen.at(-1), 'drained', String(seen))
      rollouts.looks.length = 0
      await rollouts.sweep()
      assert.deepEqual(rollouts.looks, [])
    })
  }

  it('one that could not be reached on its way is looked at again, and arrives', async () => {
    const rollouts = await Rollouts.open('a', ['web'])
    await rollouts.sweep()
    rollouts.down.add('web')
    await rollouts.sweep()
    assert.equal(await rollouts.phaseOf('web'), 'failed')
    rollouts.down.clear()
    for (let pass = 0; pass < 6; pass++) await rollouts.sweep(61 * minuteMs)
    assert.equal(await rollouts.phaseOf('web'), 'drained')
  })

  it('follow: one pass goes on until they have arrived, tells each step once, and then retires', async () => {
    const rollouts = await Rollouts.open('b', ['web', 'jobs'])
    for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
    await rollouts.world.run(rollouts.world.newProcess())
    await rollouts.act((deps) => announce(deps, rollouts.world.ref.shown))
    rollouts.world.env.time += 31 * minuteMs
    const said: Progress[] = await rollouts.act((deps) => collect(follow(deps, rollouts.world.env.time + 10 * minuteMs)))
    assert.deepEqual(
      said.filter(({ consumer }) => consumer === 'web').map(({ phase }) => phase),
      ['synced', 'verified', 'restarted', 'drained'],
    )
    assert.match(said.at(-1)?.evidence ?? '', /^retired/)
    assert.deepEqual(await rollouts.act((deps) => collect(follow(deps, rollouts.world.env.time + 10 * minuteMs))), [])
  })

  it('one that is not named any more is forgotten, not looked for at every sweep', async () => {
    const rollouts = await Rollouts.open('a', ['web', 'jobs'])
    await rollouts.sweep()
    await rollouts.world.store.setPolicy(rollouts.world.ref, { 'keyturn-consumers': 'web' })
    for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
    assert.deepEqual(Object.keys((await rollouts.world.store.describe(rollouts.world.ref)).journal?.seen ?? {}), ['web'])
    assert.deepEqual(
      (await rollouts.sweep()).filter(({ action }) => action === 'announce'),
      [],
    )
  })

  it('looking costs no write: only a step further, or a longer wait, is noted', async () => {
    const rollouts = await Rollouts.open('a', ['near', 'far'])
    rollouts.down.add('far')
    rollouts.stuckAt = 3
    for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
    const looks = rollouts.looks.length
    for (let pass = 0; pass < 5; pass++) {
      rollouts.world.env.time += 3000
      const process = rollouts.world.newProcess()
      await rollouts.world.act(process, (deps) => collect(sweep(deps)))
      assert.deepEqual(
        process.effects.filter((name) => /note/.test(name)),
        [],
      )
    }
    assert.ok(rollouts.looks.length > looks)
  })

  it('follow asks nobody sooner than it said', async () => {
    const rollouts = await Rollouts.open('a', ['web'])
    rollouts.stuckAt = 3
    rollouts.pauseMs = 30_000
    for (let pass = 0; pass < 5; pass++) await rollouts.sweep()
    rollouts.looks.length = 0
    await rollouts.act((deps) => collect(follow(deps, rollouts.world.env.time + 5 * minuteMs)))
    assert.ok(rollouts.looks.length >= 8 && rollouts.looks.length <= 11, String(rollouts.looks.length))
  })

  it('follow: what one secret fails of at its end is said, and ends nothing else', async () => {
    const rollouts = await Rollouts.open('b', ['web'])
    for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
    await rollouts.world.run(rollouts.world.newProcess())
    await rollouts.act((deps) => announce(deps, rollouts.world.ref.shown))
    const said = await rollouts.act((deps) => {
      const loadRotator: Deps['loadRotator'] = async (kind) => {
        if (rollouts.arrived) throw new RotationError('locked', 'Somebody else is at work.', { next: 'Wait.' })
        return deps.loadRotator(kind)
      }
      return collect(follow({ ...deps, loadRotator }, rollouts.world.env.time + 10 * minuteMs))
    })
    assert.match(said.at(-1)?.evidence ?? '', /^locked: Somebody else/)
  })

  it('follow ends when its time is over', async () => {
    const rollouts = await Rollouts.open('a', ['web'])
    rollouts.down.add('web')
    const from = rollouts.world.env.time
    await rollouts.act((deps) => collect(follow(deps, from + 5 * minuteMs)))
    assert.ok(rollouts.world.env.time <= from + 6 * minuteMs)
  })

  it('two clusters, one down for a week: the other arrives, nothing is retired or rotated again, and it is named; force is audited', async () => {
    const rollouts = await Rollouts.open('b', ['near', 'far'], { 'keyturn-drain': 'force after 7d', 'keyturn-every': '1d' })
    const { world } = rollouts
    for (let pass = 0; pass < 8; pass++) await rollouts.sweep(10 * minuteMs)
    rollouts.down.add('far')
    const { current: first } = await world.store.describe(world.ref)
    await world.run(world.newProcess())
    const { current } = await world.store.describe(world.ref)
    assert.notEqual(current?.id, first?.id)
    const until = world.env.time + weekMs - 3 * 60 * minuteMs
    const said: Swept[] = []
    while (world.env.time < until) said.push(...(await rollouts.sweep(60 * minuteMs)))
    assert.equal(await rollouts.phaseOf('near'), 'drained', 'the one that is there is not held back')
    assert.equal((await world.store.describe(world.ref)).current?.id, current?.id, 'not rotated again')
    const held = said.filter(({ action, code }) => action === 'start' && code === 'held')
    assert.ok(
      held.length > 100 && held.every(({ outcome }) => /far/.test(outcome) && !/near/.test(outcome)),
      `by name: ${held[0]?.outcome}`,
    )
    const { next, consumers } = await rollouts.act((deps) => statusOf(deps, world.ref.shown))
    assert.equal(consumers.length, 2)
    assert.ok(next.do === 'refuse' && next.code === 'held' && /far could not be notified/.test(next.why), JSON.stringify(next))
    assert.ok(!said.some(({ outcome }) => /retired/.test(outcome)))
    for (let pass = 0; pass < 8; pass++) said.push(...(await rollouts.sweep(60 * minuteMs)))
    assert.ok(
      said.some(({ outcome }) => /keyturn-drain: force, although .*far/.test(outcome)),
      JSON.stringify(said.slice(-6)),
    )
  })

  it('a consumer that is misconfigured holds the next rotation, also where no cluster can be reached; unknown does not; it goes on when it is mended', async () => {
    const rollouts = await Rollouts.open('a', ['web'], { 'keyturn-every': '1d' })
    const { world } = rollouts
    for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
    const { current } = await world.store.describe(world.ref)
    rollouts.misset.add('web')
    const said: Swept[] = []
    for (let pass = 0; pass < 30; pass++) said.push(...(await rollouts.sweep(60 * minuteMs)))
    assert.equal((await world.store.describe(world.ref)).current?.id, current?.id)
    assert.equal(await rollouts.phaseOf('web'), 'drained', 'how far it is stays')
    const held = said.find(({ action }) => action === 'start')
    assert.ok(held?.code === 'bad_config', JSON.stringify(held))
    assert.match(held.outcome, /a required consumer is misconfigured: web: web is created once\. Set refreshPolicy/)
    // As in a function that reaches no cluster: what was noted decides.
    await assert.rejects(world.run(world.newProcess()), { code: 'bad_config', remedy: 'fix', message: /web is created once/ })
    rollouts.misset.clear()
    rollouts.down.add('web')
    await rollouts.sweep(60 * minuteMs)
    assert.equal((await world.store.describe(world.ref)).current?.id, current?.id, 'unknown takes nothing back')
    rollouts.down.clear()
    for (let pass = 0; pass < 3; pass++) await rollouts.sweep(60 * minuteMs)
    assert.notEqual((await world.store.describe(world.ref)).current?.id, current?.id)
  })

  it('a consumer that could not follow now holds the next rotation, which waits, and says why; what is misconfigured comes first', async () => {
    const rollouts = await Rollouts.open('a', ['web', 'jobs'])
    const { world } = rollouts
    for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
    const check = () => rollouts.act((deps) => preflightPass(deps, world.ref.shown))
    const refusal = async () => {
      const { next } = await rollouts.act((deps) => statusOf(deps, world.ref.shown))
      return next.do === 'refuse' ? [next.code, next.why] : [next.do]
    }
    rollouts.failing.add('web')
    await check()
    const waits = ['held', 'a required consumer could not follow now: web: web is not synced. Look at it']
    assert.deepEqual(await refusal(), waits)
    await rollouts.act((deps) => announce(deps, world.ref.shown))
    assert.deepEqual(await refusal(), waits, 'a look at the last publication takes nothing back')
    rollouts.misset.add('jobs')
    await check()
    assert.deepEqual((await refusal())[0], 'bad_config')
    rollouts.misset.clear()
    rollouts.failing.clear()
    await check()
    assert.deepEqual(await refusal(), ['go'])
    // What was found in this very invocation counts, even where nobody may note it.
    const found = { verdict: 'refuse', why: 'its target is immutable', next: 'Correct that.' } as const
    const request = { kind: 'rotate', ref: world.ref.shown, at: world.env.time } as const
    await assert.rejects(
      rollouts.act((deps) => rotate({ ...deps, checked: [{ consumer: 'jobs', found }] }, request)),
      { code: 'bad_config', message: /misconfigured: jobs: its target is immutable\. Correct that/ },
    )
  })

  it('one that tries again only once it is asked is asked by sweep and follow, also after it has arrived; until it has followed, the notes hold', async () => {
    const rollouts = await Rollouts.open('a', ['web'])
    const { world } = rollouts
    for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
    const noted = async () => (await world.store.describe(world.ref)).journal?.seen?.web
    const check = () => rollouts.act((deps) => preflightPass(deps, world.ref.shown))
    rollouts.failing.add('web')
    await check()
    rollouts.looks.length = 0
    await rollouts.sweep()
    assert.deepEqual(rollouts.looks, [], 'one that tries again by itself is left alone')
    rollouts.asking.add('web')
    await check()
    assert.equal((await noted())?.phase, 'drained', 'how far it is stays until it was asked')
    const asked: Progress[] = await rollouts.act((deps) => collect(follow(deps, world.env.time + minuteMs)))
    assert.deepEqual([asked[0]?.phase, asked[0]?.evidence], ['requested', 'web was asked'])
    assert.deepEqual([(await noted())?.phase, (await noted())?.code], ['requested', 'held'])
    // As in a function that reaches no cluster: what was noted decides.
    await assert.rejects(world.run(world.newProcess()), { code: 'held' })
    rollouts.asking.clear()
    rollouts.failing.clear()
    await rollouts.sweep()
    assert.deepEqual([(await noted())?.phase, (await noted())?.code], ['drained', undefined])
    assert.equal((await rollouts.act((deps) => statusOf(deps, world.ref.shown))).next.do, 'go')
    rollouts.looks.length = 0
    await rollouts.sweep()
    assert.deepEqual(rollouts.looks, [])
  })

  it('one that has followed by itself meanwhile is free with one look, and not looked at again', async () => {
    const rollouts = await Rollouts.open('a', ['web'])
    const { world } = rollouts
    for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
    for (const mark of [rollouts.failing, rollouts.asking]) mark.add('web')
    await rollouts.act((deps) => preflightPass(deps, world.ref.shown))
    for (const mark of [rollouts.failing, rollouts.asking]) mark.clear()
    rollouts.looks.length = 0
    for (let pass = 0; pass < 3; pass++) await rollouts.sweep()
    assert.deepEqual(rollouts.looks, ['web'])
    const { web } = (await world.store.describe(world.ref)).journal?.seen ?? {}
    assert.deepEqual([web?.phase, web?.code, web?.again], ['drained', undefined, undefined])
  })

  it('one that was never told, or heard only of an older publication, is told by the sweep; until it has followed, the notes hold', async () => {
    for (const isOlder of [false, true]) {
      const rollouts = await Rollouts.open('a', isOlder ? ['web'] : [])
      const { world } = rollouts
      for (let pass = 0; pass < 6; pass++) await rollouts.sweep()
      if (isOlder) {
        await world.store.setPolicy(world.ref, { 'keyturn-consumers': 'none' })
        await world.run(world.newProcess())
        await rollouts.act((deps) => announce(deps, world.ref.shown))
      }
      const settings = new SecretText('{}')
      world.configuration = { ...noConfiguration, consumers: { web: { key: 'web', kind: 'memory', required: true, settings } } }
      await world.store.setPolicy(world.ref, { 'keyturn-consumers': 'web' })
      for (const mark of [rollouts.failing, rollouts.asking]) mark.add('web')
      await rollouts.act((deps) => preflightPass(deps, world.ref.shown))
      await rollouts.sweep()
      const { journal, current } = await world.store.describe(world.ref)
      assert.deepEqual(
        [journal?.seen?.web?.phase, journal?.seen?.web?.code, journal?.seen?.web?.version],
        ['requested', 'held', current?.id],
        String(isOlder),
      )
      await assert.rejects(world.run(world.newProcess()), { code: 'held' })
    }
  })
})

describe('since when a consumer stands where it is', () => {
  const consumer: Consumer = { key: 'web', kind: 'memory', required: true, settings: new SecretText('{}') }
  const version = 'v-1' as VersionId
  const noted = { web: { version, phase: 'synced', at: 1000, again: 1500 }, jobs: { version, phase: 'drained', at: 7 } } as const
  const told = (seen: Partial<Seen>) => seenBy([{ consumer, evidence: '', seen: { version, phase: 'synced', at: 9000, ...seen } }], noted)
  it('stays while nothing but the time of the look is new; what it asks for is taken', () => {
    assert.deepEqual(told({ again: 9500 }), { ...noted, web: { version, phase: 'synced', at: 1000, again: 9500 } })
  })
  it('begins anew with another phase, obstacle or publication, and with what the consumer itself said', () => {
    for (const seen of [{ phase: 'verified' }, { code: 'delivery_failed' }, { version: 'v-2' as VersionId }, { received: true }] as const)
      assert.equal(told(seen).web?.at, 9000, JSON.stringify(seen))
  })
})
