import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import type { Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { type Looked, look } from '../../shared/lifecycle/fleet/look.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { joined, type ListedSecret } from '../../shared/stores/gcp-secret-manager/listing.js'
import { readName } from '../../shared/stores/gcp-secret-manager/names.js'
import type { Secret } from '../../shared/stores/gcp-secret-manager/wire.js'
import { addForeign } from '../harness/gcp.js'
import { CountedStore } from '../harness/gcp-counted.js'
import { watchedGcp } from '../harness/gcp-watched.js'
import { MemoryQueue } from '../harness/memory-queue.js'
import { World } from '../harness/world.js'

const dayMs = 86_400_000
const resource = (id: string): string => `projects/1/secrets/${id}`
const secretOf = (id: string, rest: Partial<Secret>): Secret => ({
  resource: resource(id),
  etag: '"1"',
  labels: {},
  annotations: {},
  aliases: {},
  topics: [],
  destroysLater: false,
  ...rest,
})
const managed = (id: string): Secret => secretOf(id, { annotations: { 'keyturn-rotator': 'memory-a' } })
const place = (id: string, state = '{"retiring":[]}'): Secret =>
  secretOf(`${id}--pending`, { labels: { 'keyturn-role': 'staging' }, annotations: { 'keyturn-state': state } })
/** As pages of two. */
async function* pagesOf(all: Iterable<Secret>): AsyncIterable<readonly Secret[]> {
  let page: Secret[] = []
  for (const one of all) {
    page.push(one)
    if (page.length < 2) continue
    yield page
    page = []
  }
  yield page
}
async function join(all: Iterable<Secret>, bytesMax?: number): Promise<readonly ListedSecret[]> {
  const found: ListedSecret[] = []
  for await (const page of joined(pagesOf(all), readName, bytesMax)) found.push(...page)
  return found
}
const idsOf = (found: readonly ListedSecret[]) =>
  found.map(({ secret, journal }) => [readName(secret.resource).secret, journal !== undefined])

describe('a listing of Google Secret Manager', () => {
  it('has each journal beside its secret, in whatever order they come, and no staging place', async () => {
    const all = [managed('a'), place('a'), place('b'), managed('b'), secretOf('plain', {}), managed('lone'), place('gone')]
    assert.deepEqual(idsOf(await join(all)), [
      ['a', true],
      ['b', true],
      ['plain', false],
      ['lone', false],
    ])
  })

  it('leaves a journal that was cut off to the look at its secret', async () => {
    assert.deepEqual(idsOf(await join([managed('a'), place('a', '{"retiring":')])), [['a', false]])
  })

  it('keeps few secrets in memory, and loses none, where no half is near the other one', async () => {
    const count = 2000
    const ids = Array.from({ length: count }, (_, n) => `s${n}`)
    let held = 0
    let most = 0
    const counting = function* (): Iterable<Secret> {
      for (const id of ids) {
        held++
        most = Math.max(most, held)
        yield managed(id)
      }
      for (const id of ids) yield place(id)
    }
    const found: ListedSecret[] = []
    for await (const page of joined(pagesOf(counting()), readName)) {
      held -= page.length
      found.push(...page)
    }
    assert.equal(new Set(found.map(({ secret }) => secret.resource)).size, count)
    assert.equal(found.filter(({ journal }) => journal !== undefined).length, 500)
    assert.ok(most <= 504, `${most} at once`)
  })

  it('pairs a whole fleet that was adopted later than it was made: all places come first, in another order', async () => {
    const ids = Array.from({ length: 3000 }, (_, n) => `s${n}`)
    const found = await join([...ids.map((id) => place(id)), ...[...ids].reverse().map(managed)])
    assert.equal(found.length, 3000)
    assert.ok(found.every(({ journal }) => journal !== undefined))
  })

  it('keeps no more of the places than it may, and the newest of them go first', async () => {
    const ids = Array.from({ length: 100 }, (_, n) => `s${n}`)
    const one = 'projects/1/secrets/s99'.length + '{"retiring":[]}'.length + 150
    const found = await join([...ids.map((id) => place(id)), ...ids.map(managed)], 10 * one)
    assert.equal(found.length, 100)
    const paired = found.filter(({ journal }) => journal !== undefined).map(({ secret }) => readName(secret.resource).secret)
    assert.deepEqual(paired, ids.slice(90))
  })
})

describe('a look at Google Secret Manager', () => {
  const watched = watchedGcp()
  let world: World
  let count = 0
  after(async () => watched.close?.())
  beforeEach(async () => {
    world = await World.open('b', watched.open, `gcp-look-${++count}`, { 'keyturn-every': '30d' })
    await adopt(world.deps('a person'), world.store, world.ref.shown, { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b' })
  })
  const double = () => (world.store instanceof CountedStore ? world.store.double : assert.fail('another store'))
  const lookNow = async (queue = new MemoryQueue()) => {
    double().calls.length = 0
    const looked: Looked[] = []
    await world.act(world.newProcess(), async (deps) => {
      for await (const one of look(deps, queue)) looked.push(one)
    })
    return { looked, actions: queue.sent.map(({ work }) => work.action), calls: double().calls.map(({ name }) => name) }
  }

  it('makes the list call alone where the journal says that nothing is due', async () => {
    await announce(world.deps('a person'), world.ref.shown)
    await world.store.note(await world.store.describe(world.ref), { checkedAt: world.env.time })
    const { looked, actions, calls } = await lookNow()
    assert.deepEqual([looked.map(({ sent }) => sent), actions, calls], [[0], [], ['ListSecrets']])
  })

  it('reads the rotator of a policy once for all secrets that have it, and keeps policies apart', async () => {
    const { env, ref, store } = world
    await announce(world.deps('a person'), ref.shown)
    const twins = ['twin-1', 'twin-2', 'twin-3']
    for (const name of twins) {
      const twin = await store.create(name, new SecretText(world.firstValue), {})
      await adopt(world.deps('a person'), store, twin.shown, (await store.describe(ref)).policy)
      await announce(world.deps('a person'), twin.shown)
      await store.note(await store.describe(twin), { checkedAt: env.time })
    }
    await store.note(await store.describe(ref), { checkedAt: env.time })
    let loads = 0
    const queue = new MemoryQueue()
    const sent = async (): Promise<readonly string[]> => {
      await world.act(world.newProcess(), async (deps) => {
        const loadRotator: typeof deps.loadRotator = (kind) => {
          loads++
          return deps.loadRotator(kind)
        }
        for await (const { failure } of look({ ...deps, loadRotator }, queue)) assert.equal(failure, undefined)
      })
      return queue.sent.splice(0).map(({ work }) => `${work.ref.split('/').at(-1)} ${work.action}`)
    }
    assert.deepEqual([await sent(), loads], [[], 1])
    const resolved = await store.resolve('gcp:twin-2')
    await store.setPolicy(resolved, { 'keyturn-every': '3h' })
    for (const name of [...twins, 'db']) {
      const one = await store.resolve(`gcp:${name}`)
      await store.note(await store.describe(one), { checkedAt: env.time + 4 * 60 * 60_000 })
    }
    env.time += 4 * 60 * 60_000
    assert.deepEqual(await sent(), ['twin-2 start'])
  })

  it('leaves companions that were seen with the announced version to the daily look', async () => {
    const copy = { name: 'copy', content: 'copy', at: 'gcp:copy', order: 'after', settings: new SecretText('{}') } as const
    world.configuration = { ...noConfiguration, companions: { copy } }
    await announce(world.deps('a person'), world.ref.shown)
    await world.store.setPolicy(world.ref, { 'keyturn-companions': 'copy' })
    const note = async (phase: 'drained' | 'failed') => {
      const state = await world.store.describe(world.ref)
      const seen = { copy: { version: state.current?.id ?? assert.fail(), phase, at: world.env.time } }
      await world.store.note(state, { seen, checkedAt: world.env.time })
    }
    await note('drained')
    const { actions, calls } = await lookNow()
    assert.deepEqual([actions, calls], [[], ['ListSecrets']])
    await note('failed')
    assert.ok((await lookNow()).actions.includes('companions'))
    await note('drained')
    world.env.time += dayMs
    assert.ok((await lookNow()).actions.includes('companions'))
  })

  it('describes what is due by its journal, and sends it', async () => {
    await announce(world.deps('a person'), world.ref.shown)
    world.env.time += 40 * dayMs
    const { actions, calls } = await lookNow()
    assert.deepEqual(actions, ['start', 'check'])
    assert.ok(calls.includes('AccessSecretVersion'))
  })

  it('sees in the journal what was published, and not announced', async () => {
    await announce(world.deps('a person'), world.ref.shown)
    await world.store.note(await world.store.describe(world.ref), { checkedAt: world.env.time })
    await world.run(world.newProcess(), { at: world.env.time + 1 })
    assert.deepEqual((await lookNow()).actions, ['announce'])
  })

  it('sees in the journal a put that is open, at whatever call its process died', async () => {
    await announce(world.deps('a person'), world.ref.shown)
    await world.store.note(await world.store.describe(world.ref), { checkedAt: world.env.time })
    const value = new SecretText(await world.currentText())
    const token = `put-${'0'.repeat(32)}` as Token
    const process = world.newProcess([{ at: 2, mode: 'after' }])
    await world.run(process, { kind: 'put', token, at: world.env.time + 1 }, value).catch(() => undefined)
    assert.ok(process.dead)
    world.env.time += 20 * 60_000
    const state = await world.store.describe(world.ref)
    assert.ok(state.pending ?? state.loose[0], 'something is staged')
    assert.ok((await lookNow()).actions.includes('resume'))
  })

  it('meets what somebody added once a day, also while the secret is paused', async () => {
    await announce(world.deps('a person'), world.ref.shown)
    await world.store.note(await world.store.describe(world.ref), { checkedAt: world.env.time })
    await world.store.setPolicy(world.ref, { 'keyturn-mode': 'paused' })
    addForeign(double(), world.ref, new SecretText(world.firstValue.replace('app_a', 'app_b')))
    assert.deepEqual((await lookNow()).actions, [])
    world.env.time += dayMs
    const described: number[] = []
    for (let hour = 0; hour < 24; hour++) {
      const { actions, calls } = await lookNow()
      if (calls.length > 1) described.push(hour)
      assert.equal(actions.includes('announce'), calls.length > 1)
      world.env.time += dayMs / 24
    }
    assert.equal(described.length, 1) // although nothing notes a check while it is paused
  })

  it('meets a version that somebody added at the daily look', async () => {
    await announce(world.deps('a person'), world.ref.shown)
    await world.store.note(await world.store.describe(world.ref), { checkedAt: world.env.time })
    addForeign(double(), world.ref, new SecretText(world.firstValue.replace('app_a', 'app_b')))
    assert.deepEqual((await lookNow()).actions, [])
    world.env.time += dayMs
    assert.ok((await lookNow()).actions.includes('announce'))
  })
})
