import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { Consumer, ConsumerState, Notifier } from '../../shared/core/ports/notifier.js'
import type { ConsumerPhase, Policy, RotationRequest } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { noteSeen } from '../../shared/lifecycle/consumers/seen.js'
import { sweep } from '../../shared/lifecycle/fleet/sweep.js'
import { type Retired, retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { create as createManual } from '../../shared/notifiers/manual.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { laterMs, type MemoryClass, World } from '../harness/world.js'

/** What counts as evidence that nobody uses an outgoing credential any more, and what does not. */
const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** Consumers that answer what the test says; `asked` counts how often. */
class Consumers {
  readonly answers = new Map<string, ConsumerState | RotationError>()
  readonly asked: string[] = []
  readonly #world: World
  constructor(world: World, names: readonly string[], required = true) {
    this.#world = world
    this.say(names, 'requested')
    const consumer = (key: string): Consumer => ({ key, kind: 'memory', required, settings: new SecretText('{}') })
    world.configuration = { ...noConfiguration, consumers: Object.fromEntries(names.map((key) => [key, consumer(key)])) }
    const notifier: Notifier = {
      kind: 'memory',
      preflight: async () => ({ verdict: 'ok' }),
      advance: async (_change, { key }) => {
        this.asked.push(key)
        const answer = this.answers.get(key)
        if (answer === undefined || answer instanceof RotationError) throw answer
        return answer
      },
      classify: () => 'internal',
    }
    world.loadNotifier = async (kind) => (kind === 'manual' ? createManual() : notifier)
  }
  say(names: readonly string[], phase: ConsumerPhase, more: Partial<ConsumerState> = {}): void {
    for (const name of names) this.answers.set(name, { phase, evidence: phase, ...more })
  }
  /** Every consumer of the kind `manual`: a person says it. */
  byHand(): void {
    const { consumers } = this.#world.configuration
    const manual = Object.entries(consumers).map(([key, consumer]): [string, Consumer] => [key, { ...consumer, kind: 'manual' }])
    this.#world.configuration = { ...noConfiguration, consumers: Object.fromEntries(manual) }
  }
}

let opened = 0
const open = (rotator: MemoryClass, policy: Policy = {}, profile: ProfileName = 'k8s'): Promise<World> =>
  World.open(rotator, (env, effects) => new MemoryStore(env, profiles[profile], effects), `gate-${++opened}`, policy)
const run = (world: World, request: Partial<RotationRequest> = {}) => world.run(world.newProcess(), { reason: 'test', ...request })
const tellAll = (world: World) => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
const retire = async (world: World): Promise<readonly Retired[]> =>
  (await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))).entries
const sweepOnce = (world: World) =>
  world.act(world.newProcess(), async (deps) => {
    const all = []
    for await (const one of sweep(deps)) all.push(one)
    return all
  })
const entriesOf = async (world: World) => (await world.store.describe(world.ref)).journal?.retiring ?? []
const works = (world: World, user: string): boolean => (world.target.accounts.get(user) ?? '') !== '' || world.target.keys.has(user)
const isHeld = (cause: unknown): boolean => codeOf(cause) === 'held'

/** Rotated once, announced; app_a has left and app_b is current. */
async function rotated(policy: Policy = {}, names: readonly string[] = [], rotator: MemoryClass = 'b', profile: ProfileName = 'k8s') {
  const world = await open(rotator, { ...(names.length > 0 ? { 'keyturn-consumers': names.join(' ') } : {}), ...policy }, profile)
  const consumers = new Consumers(world, names)
  await tellAll(world)
  await run(world)
  await tellAll(world)
  return { world, consumers }
}

describe('a credential is armed on evidence only', () => {
  it('sessions that were seen and are gone for the whole grace are evidence; gone for less is not', async () => {
    const { world } = await rotated()
    world.target.sessions.set('app_a', 3)
    await retire(world)
    world.target.sessions.set('app_a', 0)
    world.env.time += 2 * hourMs
    const [first] = await retire(world)
    assert.equal(first?.state, 'waiting')
    world.env.time += hourMs - 5000
    await retire(world)
    assert.ok(works(world, 'app_a'))
    world.env.time += 6000
    assert.equal((await retire(world))[0]?.state, 'retired')
    assert.ok(!works(world, 'app_a'))
  })
  it('one that logs in again starts the clock anew', async () => {
    const { world } = await rotated()
    for (const sessions of [3, 0, 1, 0]) {
      world.target.sessions.set('app_a', sessions)
      world.env.time += 50 * 60_000
      assert.notEqual((await retire(world))[0]?.state, 'retired', `at ${sessions} sessions`)
    }
    assert.ok(works(world, 'app_a'))
  })
  it('sessions that were never seen prove nothing, however long', async () => {
    const { world } = await rotated()
    for (let day = 0; day < 30; day++) {
      assert.equal((await retire(world))[0]?.state, 'undeclared')
      world.env.time += dayMs
    }
    assert.ok(works(world, 'app_a'))
  })
  it('a time of last use that is older than grace is evidence; no time of last use is not', async () => {
    const { world } = await rotated({}, [], 'c')
    const [entry] = await entriesOf(world)
    assert.ok(entry)
    world.env.time += 3 * hourMs
    assert.equal((await retire(world))[0]?.state, 'undeclared')
    world.target.lastUsed.set(entry.id, world.env.time)
    world.env.time += hourMs - 1000
    assert.notEqual((await retire(world))[0]?.state, 'retired')
    world.env.time += 2000
    assert.equal((await retire(world))[0]?.state, 'retired')
  })
  it('all but one drained is not all; drained before grace is over waits for it', async () => {
    const { world, consumers } = await rotated({}, ['one', 'two'])
    consumers.say(['one'], 'drained')
    consumers.say(['two'], 'restarted')
    world.env.time += 2 * hourMs
    assert.equal((await retire(world))[0]?.state, 'waiting')
    await assert.rejects(run(world), isHeld)
    consumers.say(['two'], 'drained')
    assert.equal((await retire(world))[0]?.state, 'retired')
    const early = await rotated({}, ['one'])
    early.consumers.say(['one'], 'drained')
    assert.notEqual((await retire(early.world))[0]?.state, 'retired')
    assert.ok(works(early.world, 'app_a'))
  })
  it('drained once is asked again: one that went back to the outgoing credential stays the reason to wait', async () => {
    const { world, consumers } = await rotated({}, ['one'])
    consumers.say(['one'], 'drained')
    await retire(world)
    consumers.say(['one'], 'requested')
    world.env.time += 2 * hourMs
    assert.equal((await retire(world))[0]?.state, 'waiting')
  })
  it('a consumer that is not required opens nothing, also when it is drained', async () => {
    const world = await open('b', { 'keyturn-consumers': 'one' })
    const consumers = new Consumers(world, ['one'], false)
    consumers.say(['one'], 'drained')
    await run(world).catch(() => undefined)
    await tellAll(world)
    await run(world).catch(() => undefined)
    await tellAll(world)
    world.env.time += 30 * dayMs
    assert.equal((await retire(world))[0]?.state, 'undeclared')
  })
  it('what a person said of an older publication is no evidence for a newer one', async () => {
    const { world, consumers } = await rotated({}, ['one'])
    consumers.byHand()
    const say = () => world.act(world.newProcess(), (deps) => noteSeen(deps, world.ref.shown, { consumer: 'one', phase: 'drained' }))
    await say()
    world.env.time += 2 * hourMs
    assert.equal((await retire(world))[0]?.state, 'retired')
    await run(world)
    await tellAll(world)
    world.env.time += 2 * hourMs
    assert.equal((await retire(world))[0]?.state, 'waiting')
    assert.ok(works(world, 'app_b'))
    await say()
    assert.equal((await retire(world))[0]?.state, 'retired')
  })
  it('a receipt of another publication is refused after one look: it is no race', async () => {
    const { world, consumers } = await rotated({}, ['one'])
    consumers.byHand()
    const describeNow = world.store.describe.bind(world.store)
    let looks = 0
    world.store.describe = async (ref) => {
      looks++
      return describeNow(ref)
    }
    const older = { consumer: 'one', phase: 'drained', changeId: 'an-older-one' } as const
    await assert.rejects(
      world.act(world.newProcess(), (deps) => noteSeen(deps, world.ref.shown, older)),
      { code: 'conflict' },
    )
    assert.equal(looks, 1)
  })
  it('evidence of an earlier time is not evidence for now: the account came back and left again by foreign writes', async () => {
    const { world } = await rotated()
    world.target.sessions.set('app_a', 3)
    await retire(world)
    world.target.sessions.set('app_a', 0)
    world.env.time += 10 * 60_000
    await retire(world) // unused since now
    const [second, first] = [await world.currentText(), world.firstValue]
    ;(world.store as MemoryStore).writeForeign(world.ref, new SecretText(first))
    world.env.time += 2 * hourMs
    ;(world.store as MemoryStore).writeForeign(world.ref, new SecretText(second))
    const leftAt = world.env.time
    await tellAll(world)
    await retire(world)
    const [entry] = await entriesOf(world)
    assert.ok(works(world, 'app_a'), 'it was retired a moment after it left')
    assert.ok(entry && entry.since >= leftAt, 'grace counts from the first time that it left')
  })
})

describe('drain: force', () => {
  it('leaves a required consumer behind after its time, not before, and says so in the audit log', async () => {
    const { world } = await rotated({ 'keyturn-drain': 'force after 7d' }, ['one'])
    world.env.time += 7 * dayMs - hourMs
    assert.equal((await retire(world))[0]?.state, 'waiting')
    world.env.time += hourMs
    assert.equal((await retire(world))[0]?.state, 'retired')
    assert.ok(world.audit.some(({ effect, reason }) => effect === 'memory-b.retire' && reason?.includes('force')))
  })
  it('also a required consumer that cannot be reached at all: it does not hold rotations for ever', async () => {
    const world = await open('b', { 'keyturn-drain': 'force after 7d', 'keyturn-consumers': 'one' })
    const consumers = new Consumers(world, ['one'])
    await tellAll(world)
    consumers.answers.set('one', new RotationError('delivery_failed', 'No route.', { next: 'Look.' }))
    await run(world)
    for (let day = 0; day < 9; day++) {
      await sweepOnce(world)
      world.env.time += dayMs
    }
    assert.equal((await run(world)).outcome, 'published')
  })
})

describe('what waits for consumers does not wait for ever', () => {
  it('a service that asked while all accounts were in use left an empty pending version: the outgoing one is retired all the same', async () => {
    const world = await open('b', { 'keyturn-consumers': 'one' }, 'aws')
    const consumers = new Consumers(world, ['one'])
    await tellAll(world)
    const token = () => world.startNative()
    await world.runService(world.newProcess(), await token())
    await tellAll(world)
    world.env.time += 2 * hourMs
    const second = await token()
    await assert.rejects(world.runService(world.newProcess(), second), isHeld)
    consumers.say(['one'], 'drained')
    const [entry] = await retire(world)
    assert.equal(entry?.state, 'retired', entry?.why)
    await world.runService(world.newProcess(), second)
    assert.ok(world.accepts(await world.currentText()))
  })
  for (const rotator of ['a', 'b'] as const) {
    it(`a required consumer that answered 410 and was put right is asked again, and holds nothing any more (class ${rotator})`, async () => {
      const world = await open(rotator, { 'keyturn-consumers': 'one' })
      const consumers = new Consumers(world, ['one'])
      await tellAll(world)
      await run(world)
      consumers.say(['one'], 'failed', { code: 'delivery_refused' })
      await tellAll(world)
      world.env.time += 2 * hourMs
      await assert.rejects(run(world), isHeld)
      consumers.say(['one'], 'drained')
      for (let pass = 0; pass < 3; pass++) {
        await sweepOnce(world)
        world.env.time += laterMs
      }
      assert.equal((await run(world)).outcome, 'published')
    })
  }
  it('a consumer that asked not to be asked before a time is not asked before it', async () => {
    const { world, consumers } = await rotated({}, ['one'])
    consumers.say(['one'], 'failed', { code: 'delivery_failed', again: world.env.time + hourMs })
    await retire(world)
    const before = consumers.asked.length
    world.env.time += 10 * 60_000
    await retire(world)
    assert.equal(consumers.asked.length, before)
  })
})

describe('an entry goes only when its credential is current again or has ended', () => {
  it('a pending value for the same account removes it not: the rotation may still be given up', async () => {
    const { world } = await rotated({}, ['one'])
    await run(world, { kind: 'emergency', step: 'create' })
    await retire(world)
    assert.deepEqual(
      (await entriesOf(world)).map(({ id }) => id),
      ['app_a'],
    )
    assert.ok(works(world, 'app_a'))
  })
  it('a loose leftover of an older base removes it not: its account is not free for the next rotation', async () => {
    const { world, consumers } = await rotated({}, ['one'])
    consumers.say(['one'], 'drained')
    world.env.time += 2 * hourMs
    await retire(world)
    await run(world, { step: 'create' }) // a value for app_a, on app_b
    ;(world.store as MemoryStore).wipeJournal(world.ref)
    world.target.accounts.set('app_a', 'by-hand-0123456789')
    const byHand = JSON.stringify({ ...JSON.parse(world.firstValue), password: 'by-hand-0123456789' })
    ;(world.store as MemoryStore).writeForeign(world.ref, new SecretText(byHand))
    consumers.say(['one'], 'requested')
    world.env.time += 2 * hourMs
    await tellAll(world)
    consumers.say(['one'], 'drained')
    await retire(world) // app_b ends
    await run(world) // from app_a to app_b
    consumers.say(['one'], 'requested') // and app_a is in use
    await tellAll(world)
    assert.deepEqual(
      (await entriesOf(world)).map(({ id }) => id),
      ['app_a'],
    )
    await retire(world)
    world.env.time += 2 * hourMs
    await run(world).catch(() => undefined)
    assert.equal(world.target.accounts.get('app_a'), 'by-hand-0123456789', 'the password in use was overwritten')
  })
})

describe('a credential that left has an entry', () => {
  it('also where two foreign writes came before anybody announced: a consumer on it keeps it', async () => {
    const { world, consumers } = await rotated({}, ['one'])
    consumers.say(['one'], 'drained')
    world.env.time += 2 * hourMs
    for (let count = 0; count < 2; count++) {
      ;(world.store as MemoryStore).writeForeign(world.ref, new SecretText(world.firstValue))
      world.env.time += 1000
    }
    consumers.say(['one'], 'requested') // it stays on app_b
    await tellAll(world)
    assert.deepEqual(
      (await entriesOf(world)).map(({ id }) => id),
      ['app_b'],
    )
  })
})

describe('what must not be ended, and what must be forgotten', () => {
  it('while a secret is stuck the outgoing credential stays: it may be the only one that works', async () => {
    const { world, consumers } = await rotated({}, ['one'])
    consumers.say(['one'], 'drained')
    world.env.time += 2 * hourMs
    await world.store.note(await world.store.describe(world.ref), { code: 'stuck' })
    await retire(world)
    assert.ok(works(world, 'app_a'))
  })
  it('keys that left the payload long ago do not stay in the journal for ever (class f)', async () => {
    const world = await open('f')
    for (let turn = 0; turn < 12; turn++) {
      await tellAll(world)
      await run(world)
      await tellAll(world)
      world.env.time += 2 * hourMs
      await retire(world)
    }
    assert.ok((await entriesOf(world)).length <= 2, `${(await entriesOf(world)).length} entries`)
  })
})
