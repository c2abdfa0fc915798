import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import type { Code } from '../../shared/core/ports/errors.js'
import type { Consumer, Notifier } from '../../shared/core/ports/notifier.js'
import type { Work } from '../../shared/core/ports/queue.js'
import type { ConsumerPhase, Policy, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { type Looked, look } from '../../shared/lifecycle/fleet/look.js'
import { type Performed, perform } from '../../shared/lifecycle/fleet/work.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { MemoryQueue } from '../harness/memory-queue.js'
import { laterMs, World } from '../harness/world.js'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** A consumer that is one phase further at each look, a minute after the last. */
class Fleet {
  readonly world: World
  readonly queue = new MemoryQueue()
  readonly phases: ConsumerPhase[] = ['requested', 'synced', 'drained']
  readonly events: string[] = []
  looks = 0
  fails: RotationError | undefined
  private constructor(world: World) {
    this.world = world
  }
  static async open(policy: Policy = {}, profile: ProfileName = 'k8s'): Promise<Fleet> {
    const all = { 'keyturn-consumers': 'web', 'keyturn-grace': '30m', 'keyturn-every': '30d', ...policy }
    const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles[profile], effects), `queue-${Math.random()}`, all)
    const fleet = new Fleet(world)
    const web: Consumer = { key: 'web', kind: 'memory', required: true, settings: new SecretText('{}') }
    world.configuration = { ...noConfiguration, consumers: { web } }
    const notifier: Notifier = {
      kind: 'memory',
      preflight: async () => ({ verdict: 'ok' }),
      advance: async (change) => fleet.#advance(change.id),
      classify: (cause) => (cause instanceof RotationError ? cause.code : 'internal'),
    }
    world.loadNotifier = async () => notifier
    return fleet
  }
  #advance(id: string) {
    this.looks++
    if (this.fails) throw this.fails
    if (this.events.at(-1) !== id) {
      this.events.push(id)
      this.phases.splice(0, this.phases.length, 'requested', 'synced', 'drained')
    }
    const phase = this.phases.length > 1 ? (this.phases.shift() as ConsumerPhase) : 'drained'
    const again = phase === 'drained' ? {} : { again: this.world.env.time + minuteMs }
    return { phase, evidence: phase, ...again }
  }
  act = <T>(what: (deps: Deps) => Promise<T>): Promise<T> => this.world.act(this.world.newProcess(), what)
  look = (): Promise<readonly Looked[]> => this.act((deps) => collect(look(deps, this.queue)))
  perform = (work: Work): Promise<Performed> => this.act((deps) => perform(deps, work, this.queue))
  /** Rotated and announced once, so that its schedule counts. */
  async settle(): Promise<void> {
    await this.act((deps) => announce(deps, this.world.ref.shown))
    await this.drain()
    this.looks = 0
  }
  /** Delivers everything that comes, in an order and as often as `deliver` says. */
  async drain(deliver: (works: readonly Work[]) => readonly Work[] = (works) => works): Promise<readonly Performed[]> {
    const ends: Performed[] = []
    for (let pass = 0; pass < 40; pass++) {
      await this.look()
      const works = deliver(this.queue.take(this.world.env.time))
      for (const work of works) ends.push(await this.perform(work))
      this.world.env.time += minuteMs
    }
    return ends
  }
  get actions(): readonly string[] {
    return this.queue.sent.map(({ work }) => work.action)
  }
}

async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of from) all.push(one)
  return all
}
const error = (code: Code, message: string): RotationError => new RotationError(code, message, { next: 'Wait.' })
const published = (fleet: Fleet): Promise<number> => fleet.world.published()

/** A rotation that is published, and the message that it is to be announced. */
async function toAnnounce(): Promise<{ readonly fleet: Fleet; readonly work: Work }> {
  const fleet = await Fleet.open()
  await fleet.settle()
  await fleet.world.run(fleet.world.newProcess(), { at: fleet.world.env.time + 1 })
  await fleet.look()
  const [work] = fleet.queue.take(fleet.world.env.time).filter(({ action }) => action === 'announce')
  assert.ok(work)
  return { fleet, work }
}

describe('a look, a queue, and work', () => {
  it('names the same work by the same id in one interval, and anew in the next', async () => {
    const fleet = await Fleet.open()
    await fleet.settle()
    fleet.world.env.time += 40 * dayMs
    fleet.world.env.time -= fleet.world.env.time % (5 * minuteMs)
    assert.deepEqual(
      (await fleet.look()).map(({ sent }) => sent),
      [2],
    )
    await fleet.look()
    const ids = fleet.queue.take(fleet.world.env.time).map(({ id }) => id)
    assert.deepEqual(ids.slice(0, 2), ids.slice(2))
    fleet.world.env.time += 5 * minuteMs
    await fleet.look()
    assert.ok(fleet.queue.sent.every(({ work }) => !ids.includes(work.id)))
    assert.deepEqual(fleet.actions, ['start', 'check'])
  })

  const stores: readonly ProfileName[] = ['k8s', 'gcp', 'azure']
  for (const profile of stores)
    it(`${profile}: from the due date to the retired login, whatever comes twice or in the wrong order`, async () => {
      const fleet = await Fleet.open({}, profile)
      await fleet.settle()
      const before = fleet.world.target.logins.length
      fleet.world.env.time += 31 * dayMs
      const events = fleet.events.length
      await fleet.drain((works) => [...works, ...works].reverse())
      const state = await fleet.world.store.describe(fleet.world.ref)
      assert.equal(await published(fleet), 1)
      assert.equal(fleet.events.length, events + 1)
      assert.deepEqual([state.journal?.retiring, state.journal?.seen?.web?.phase], [[], 'drained'])
      assert.ok(fleet.world.target.logins.length > before)
      assert.deepEqual(fleet.world.broken, [])
    })

  it('sends one follow-up, from the process that noted when to look again, although two do the work at once', async () => {
    const { fleet, work } = await toAnnounce()
    await Promise.all([fleet.perform(work), fleet.perform(work), fleet.perform(work)])
    assert.deepEqual(fleet.actions, ['announce'])
    const seen = (await fleet.world.store.describe(fleet.world.ref)).journal?.seen?.web
    assert.equal(fleet.queue.sent[0]?.notBefore, seen?.again)
  })

  it('a message that comes before the time that was noted ends, and makes no second chain', async () => {
    const { fleet, work } = await toAnnounce()
    await fleet.perform(work)
    const looks = fleet.looks
    assert.deepEqual(await fleet.perform(work), { ends: 'over' })
    assert.deepEqual([fleet.looks, fleet.queue.sent.length], [looks, 1])
  })

  it('a repeated message sends nothing while the pause of a consumer that failed is not over', async () => {
    const { fleet, work } = await toAnnounce()
    fleet.fails = error('delivery_failed', 'Not there.')
    await fleet.perform(work)
    assert.equal(fleet.queue.sent.length, 1)
    await fleet.perform(work)
    assert.deepEqual([fleet.looks, fleet.queue.sent.length], [1, 1])
  })

  it('notes each time to look again, even where nothing moved, so that the chain goes on alone', async () => {
    const fleet = await Fleet.open()
    await fleet.settle()
    await fleet.world.run(fleet.world.newProcess(), { at: fleet.world.env.time + 1 })
    await fleet.look()
    for (let step = 0; step < 6; step++) {
      fleet.phases.splice(0, fleet.phases.length, 'requested', 'drained')
      const works = fleet.queue.take(fleet.world.env.time).filter(({ action }) => action === 'announce')
      assert.equal(works.length, 1, `step ${step}`)
      for (const work of works) await fleet.perform(work)
      fleet.world.env.time += minuteMs
    }
  })

  it('leaves to the next look what is later than the queue can hold, and what it could not send', async () => {
    for (const queue of [new MemoryQueue(30_000), Object.assign(new MemoryQueue(), { fault: () => error('throttled', 'Too many.') })]) {
      const fleet = await Fleet.open()
      await fleet.settle()
      await fleet.world.run(fleet.world.newProcess(), { at: fleet.world.env.time + 1 })
      await fleet.look()
      const [work] = fleet.queue.take(fleet.world.env.time).filter(({ action }) => action === 'announce')
      assert.ok(work)
      const ended = await fleet.act((deps) => perform(deps, work, queue))
      assert.deepEqual([ended.ends, queue.sent.length], ['over', 0])
      fleet.world.env.time += minuteMs
      await fleet.look()
      assert.ok(fleet.actions.includes('announce'))
    }
  })

  it('delivers again what the store failed of, and nothing that a target or a consumer said', async () => {
    const { fleet, work } = await toAnnounce()
    fleet.fails = error('delivery_failed', 'Not there.')
    assert.equal((await fleet.perform(work)).ends, 'over')
    const { store } = fleet.world
    const describe = store.describe.bind(store)
    store.describe = async () => {
      throw error('unavailable', 'The store is away.')
    }
    assert.deepEqual(await fleet.perform(work), { ends: 'redeliver', outcome: 'The store is away.', code: 'unavailable' })
    store.describe = describe
    fleet.world.target.accounts.clear()
    const check: Work = { id: 'by-hand', ref: fleet.world.ref.shown, action: 'check', at: fleet.world.env.time }
    const ended = await fleet.perform(check)
    assert.deepEqual([ended.ends, ended.code], ['over', 'target_auth'])
  })

  it('work that published and did not come to tell tells when it is delivered again', async () => {
    const fleet = await Fleet.open()
    await fleet.settle()
    fleet.world.env.time += 31 * dayMs
    await fleet.look()
    const [work] = fleet.queue.take(fleet.world.env.time).filter(({ action }) => action === 'start')
    assert.ok(work)
    const events = fleet.events.length
    await fleet.world.run(fleet.world.newProcess(), { at: fleet.world.env.time }) // as far as the first delivery came
    assert.equal((await fleet.perform(work)).ends, 'over')
    assert.deepEqual([await published(fleet), fleet.events.length], [1, events + 1])
  })

  it('a week late it does what is still due, and nothing else', async () => {
    const fleet = await Fleet.open()
    await fleet.settle()
    fleet.world.env.time += 31 * dayMs
    await fleet.look()
    const works = fleet.queue.take(fleet.world.env.time)
    await fleet.drain()
    assert.equal(await published(fleet), 1)
    fleet.world.env.time += 7 * dayMs
    for (const work of works) await fleet.perform(work)
    assert.equal(await published(fleet), 1)
  })

  it('a secret that cannot be looked at is in the answer, and ends nothing', async () => {
    const fleet = await Fleet.open()
    const { store } = fleet.world
    store.list = async function* () {
      yield { ref: fleet.world.ref, policy: {}, drivenBy: 'engine' }
    }
    store.describe = async () => {
      throw error('damaged', 'Cut off.')
    }
    fleet.world.env.time += laterMs
    assert.deepEqual(await fleet.look(), [{ ref: fleet.world.ref.shown, sent: 0, failure: { code: 'damaged', message: 'Cut off.' } }])
  })
})

describe('a publication that came and went before everybody had heard of it', () => {
  it('the one before it is told again: who heard of the other would stay on it', async () => {
    const fleet = await Fleet.open({}, 'gcp')
    await fleet.settle()
    const { world } = fleet
    await world.run(world.newProcess(), { at: world.env.time + 1 })
    await fleet.act((deps) => announce(deps, world.ref.shown))
    const first = (await world.store.describe(world.ref)).current?.id
    const text = await world.currentText()
    // Somebody is told of the next version, and its announcement is not over.
    const state = await world.store.describe(world.ref)
    const seen = { version: '9' as VersionId, phase: 'requested' as const, at: world.env.time }
    await world.store.note(state, { seen: { web: seen }, sequence: { version: '9' as VersionId, value: state.publishedAt + 1 } })
    assert.equal((await world.store.describe(world.ref)).current?.id, first)
    const looks = fleet.looks
    assert.equal((await fleet.act((deps) => announce(deps, world.ref.shown))).outcome, 'announced')
    assert.equal(fleet.looks, looks + 1)
    const after = (await world.store.describe(world.ref)).journal
    assert.deepEqual([after?.announced, after?.sequence?.version], [first, first])
    assert.ok((after?.sequence?.value ?? 0) > state.publishedAt + 1)
    assert.equal(await world.currentText(), text)
    assert.equal((await fleet.act((deps) => announce(deps, world.ref.shown))).outcome, 'none')
  })
})
