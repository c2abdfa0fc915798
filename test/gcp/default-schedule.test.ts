import assert from 'node:assert/strict'
import { it } from 'node:test'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { look } from '../../shared/lifecycle/fleet/look.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { gcpHarness } from '../harness/gcp.js'
import { MemoryQueue } from '../harness/memory-queue.js'

const dayMs = 86_400_000
const policy = {
  'keyturn-rotator': 'random',
  'keyturn-form': 'token',
  'keyturn-spelling': 'change',
  'keyturn-grace': '1h',
  'keyturn-window': '02:00-03:00',
}

it('a look in the window starts what has the schedule of its type, which no policy names, also where its daily check was made at noon', async (t) => {
  const { store, env, close } = await gcpHarness('one clock')
  t.after(close)
  const deps: Deps = {
    store,
    loadRotator,
    loadNotifier,
    infer: () => ({}),
    configuration: async () => noConfiguration,
    journal: true,
    readAdmin: async () => assert.fail('no administrator'),
    openPlace: async () => assert.fail('no companion'),
    env,
    audit: { write: async () => {} },
    holder: 'a person',
    leaseMs: 60_000,
    shortGrace: false,
  }
  const actions = async (): Promise<readonly string[]> => {
    const queue = new MemoryQueue()
    for await (const { failure } of look(deps, queue)) assert.equal(failure, undefined)
    return queue.sent.map(({ work }) => work.action)
  }
  const ref = await store.create('db', new SecretText('the-first-api-key-0123456789abcdef'), {})
  await adopt(deps, store, ref.shown, policy)
  env.time += dayMs
  await rotate(deps, { kind: 'emergency', ref: ref.shown, at: env.time + 1, reason: 'outside its window' })
  await announce(deps, ref.shown)
  const midnight = env.time - (env.time % dayMs) + 60 * dayMs
  env.time = midnight - dayMs / 2
  await store.note(await store.describe(ref), { checkedAt: env.time })
  assert.deepEqual(await actions(), [])
  env.time = midnight + 2.5 * (dayMs / 24)
  assert.deepEqual(await actions(), ['start'])
})
