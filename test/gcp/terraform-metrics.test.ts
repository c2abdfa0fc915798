import assert from 'node:assert/strict'
import { after, before, describe, it, mock } from 'node:test'
import { createHandler as createInvoke } from '../../functions/gcp/invoke.js'
import { createHandler as createRotate } from '../../functions/gcp/rotate.js'
import { createHandler as createSweep } from '../../functions/gcp/sweep.js'
import { createHandler as createWork } from '../../functions/gcp/work.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { gcpHarness, openGcp } from '../harness/gcp.js'
import { eventHeaders, messageOf, ServedFunction } from '../harness/gcp-functions.js'
import { type Entry, entryOf, matches } from '../harness/log-filter.js'
import { MemoryQueue } from '../harness/memory-queue.js'
import { readModule, textOf } from '../harness/terraform-module.js'

const dayMs = 86_400_000
const kinds = ['rotate', 'sweep', 'work', 'invoke'] as const
type Kind = (typeof kinds)[number]
interface Printed {
  /** What the run was about when the line was printed. */
  readonly stage: string
  readonly by: Kind
  readonly entry: Entry
}

/** One secret under the four functions, with every line that they print on stderr. */
describe('the metrics of infra/terraform/gcp, on the lines that the functions print', () => {
  let filters: ReadonlyMap<string, string>
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let ref: SecretRef
  let stage: string
  let printed: Printed[]
  const served = new Map<Kind, ServedFunction>()

  before(async () => {
    process.setMaxListeners(50)
    const { resources } = await readModule('infra/terraform/gcp')
    const metrics = resources.filter(({ type }) => type === 'google_logging_metric')
    const named = (text: string): string => text.replace(/\$\{google_cloudfunctions2_function\.(\w+)\.name\}/g, 'keyturn-$1')
    filters = new Map(metrics.map(({ name, body }) => [name, named(textOf(body, 'filter'))]))
  })

  const paused = new SecretText('{"paused":true}')
  before(async () => {
    printed = []
    world = await gcpHarness('one clock')
    const target = new MemoryTarget()
    setMemoryTarget('metrics', target)
    target.accounts.set('app', 'first-password-0123456789')
    const value = { engine: 'memory-a', target: 'metrics', username: 'app', password: 'first-password-0123456789' }
    ref = await world.store.create('db', new SecretText(JSON.stringify(value)), {})
    await world.store.create('config', new SecretText('{}'), {})
    const deps = {
      store: world.store,
      loadRotator,
      loadNotifier: async () => assert.fail('no notifier'),
      infer: () => ({}),
      configuration: async () => noConfiguration,
      journal: true,
      readAdmin: async () => assert.fail('no administrator'),
      env: world.env,
      audit: { write: async () => {} },
      holder: 'a person',
      leaseMs: 60_000,
      shortGrace: true,
    }
    await adopt(deps, world.store, ref.shown, { 'keyturn-rotator': 'memory-a', 'keyturn-every': '30d', 'keyturn-grace': '1m' })
    const queue = new MemoryQueue()
    const given = {
      environment: { GOOGLE_CLOUD_PROJECT: 'p', KEYTURN_SHORT_GRACE: '1', KEYTURN_CONFIG: 'gcp:projects/p/secrets/config' },
      env: { now: world.env.now, sleep: world.env.sleep, random: world.env.random },
      openStore: () => openGcp(world.double, world.env),
      openQueue: () => queue,
    }
    served.set('rotate', await ServedFunction.events(createRotate(given)))
    served.set('sweep', await ServedFunction.http(createSweep(given)))
    served.set('work', await ServedFunction.http(createWork(given)))
    served.set('invoke', await ServedFunction.http(createInvoke(given)))
    work = async () => {
      for (const one of queue.take(world.env.time)) await call('work', one)
    }
  })
  after(async () => {
    for (const one of served.values()) await one.close()
    await world.close()
  })
  let work: () => Promise<void>

  /** Calls a function and keeps what it prints: a line of JSON each, as the platform reads it. */
  async function call(by: Kind, body: unknown, headers?: Readonly<Record<string, string>>): Promise<void> {
    const lines: string[] = []
    const write = mock.method(process.stderr, 'write', (text: string) => lines.push(text) > 0)
    try {
      await (served.get(by) ?? assert.fail(by)).post(body, headers)
    } finally {
      write.mock.restore()
    }
    for (const line of lines.join('').split('\n'))
      if (line.startsWith('{')) printed.push({ stage, by, entry: entryOf(`keyturn-${by}`, line) })
  }
  const setConfiguration = async (value: SecretText): Promise<void> => {
    world.double.do('AddSecretVersion', { parent: 'projects/p/secrets/config', payload: { data: Buffer.from(value.reveal()) } })
    world.env.time += dayMs / 24 // past what a warm function keeps
  }

  /** What each function does in an ordinary month, and in each state that somebody has to hear of. */
  async function month(): Promise<void> {
    stage = 'ordinary'
    for (let pass = 0; pass < 3; pass++) {
      await call('sweep', '')
      await work()
      world.env.time += 6 * 60_000
    }
    for (const action of ['verify', 'rotate', 'status', 'retire']) await call('invoke', { action, ref: ref.shown })
    await call('invoke', { action: 'explode' })
    const attributes = { eventType: 'SECRET_ROTATE', secretId: ref.key, timestamp: new Date(world.env.time + 1).toISOString() }
    world.env.time += dayMs
    await call('rotate', messageOf(attributes), eventHeaders('1'))
    await work()
    stage = 'held'
    await setConfiguration(paused)
    world.env.time += 30.3 * dayMs
    await call('sweep', '')
    stage = 'held and overdue'
    world.env.time += 2 * dayMs
    await call('sweep', '')
    stage = 'overdue'
    await setConfiguration(new SecretText('{}'))
    await call('sweep', '')
    stage = 'ordinary'
    await work()
    await call('sweep', '')
    stage = 'unreadable'
    await world.store.setPolicy(ref, { 'keyturn-every': 'soon' })
    world.env.time += dayMs
    await call('sweep', '')
    await world.store.setPolicy(ref, { 'keyturn-every': '30d' })
    stage = 'stuck'
    await world.store.note(await world.store.describe(ref), { code: 'stuck' })
    await call('sweep', '')
    stage = 'no look'
    world.double.fault = ({ name }) => (name === 'ListSecrets' ? 'internal' : undefined)
    await call('sweep', '')
    world.double.fault = () => undefined
    stage = 'dead letters'
    await call('rotate', messageOf({ eventType: 'SECRET_ROTATE' }), eventHeaders('2'))
    await call('work', { id: 'x', ref: 'y', action: 'steal', at: 1 })
  }

  it('match exactly the lines that they are about, and no other line of the run', async () => {
    await month()
    const looks = ['ordinary', 'held', 'held and overdue', 'overdue', 'unreadable', 'stuck']
    const stages: Readonly<Record<string, readonly string[]>> = {
      looked: looks,
      held: ['held', 'held and overdue'],
      overdue: ['held and overdue', 'overdue'],
      unreadable: ['unreadable'],
      stuck: ['stuck'],
      dead_letters: ['dead letters'],
    }
    assert.deepEqual([...filters.keys()].sort(), Object.keys(stages).sort())
    for (const [metric, filter] of filters) {
      const found = printed.filter(({ entry }) => matches(filter, entry))
      const wanted = stages[metric] ?? []
      assert.deepEqual([...new Set(found.map((one) => one.stage))].sort(), [...wanted].sort(), metric)
      const isDead = metric === 'dead_letters'
      const [by, log] = isDead ? [['rotate', 'work'], 'dead_letter'] : [['sweep'], 'looked']
      const those = printed.filter((one) => wanted.includes(one.stage) && by.includes(one.by) && logOf(one) === log)
      if (isDead) assert.equal(those.length, 2)
      assert.deepEqual(found, those, metric)
    }
    const others = printed.filter(({ entry }) => [...filters.values()].every((filter) => !matches(filter, entry)))
    const logs = new Set(others.map(logOf))
    for (const log of ['audit', 'decided', 'work_done', 'step_failed', 'overdue', 'held', 'stuck', 'look_failed'])
      assert.ok(logs.has(log), `no line ${log}`)
  })

  it('do not match the lines of a service of another name, nor a line without a counter', () => {
    const looked = '{"log":"looked","overdue":3,"stuck":1,"held":1,"failed":1,"complete":"true"}'
    for (const [metric, filter] of filters) {
      if (metric === 'dead_letters') continue
      assert.ok(matches(filter, entryOf('keyturn-sweep', looked)), metric)
      assert.ok(!matches(filter, entryOf('keyturn-sweep-2', looked)), metric)
      assert.ok(!matches(filter, entryOf('keyturn-sweep', '{"log":"looked","overdue":"3"}')), metric)
      assert.ok(
        !matches(filter, entryOf('keyturn-sweep', '{"log":"looked","overdue":0,"stuck":0,"held":0,"failed":0,"complete":"false"}')),
        metric,
      )
    }
    const dead = filters.get('dead_letters') ?? assert.fail('no metric')
    for (const by of ['rotate', 'work']) assert.ok(matches(dead, entryOf(`keyturn-${by}`, '{"log":"dead_letter"}')), by)
    assert.ok(!matches(dead, entryOf('keyturn-sweep', '{"log":"dead_letter"}')))
  })

  it('keep to a form that the matcher judges', () => {
    for (const wrong of ['severity >= ERROR', 'jsonPayload.log : "looked"', 'a = 1 OR b = 2', 'jsonPayload.log =~ "look.*"'])
      assert.throws(() => matches(wrong, {}), /not understood/)
  })
})

const logOf = ({ entry }: Printed): unknown => (entry.jsonPayload as { readonly log?: unknown }).log
