import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { scheduleOf } from '../../shared/lifecycle/fleet/plan.js'
import { rotateFleet } from '../../shared/lifecycle/fleet/rotate-all.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { dayMs, SelfIssuedWorld } from '../harness/self-issued-world.js'

/** A kind of credential, the days of its type, and a first value. */
const kinds: readonly (readonly [policy: Policy, type: string, days: number, value: object])[] = [
  [{ 'keyturn-rotator': 'random' }, 'api-key', 30, { key: 'first-key-0123456789' }],
  [{ 'keyturn-rotator': 'random', 'keyturn-form': 'cookie' }, 'symmetric', 180, { cookie: 'KQZWVJXNTBHRMPLDGFSCAYEUOIKQZWVJ' }],
  [{ 'keyturn-rotator': 'secret-list' }, 'symmetric', 180, { cookie: ['a'.repeat(32)] }],
  [{ 'keyturn-rotator': 'jwt', 'keyturn-algorithm': 'ES256' }, 'jwt', 180, {}],
]

describe('by type of credential', () => {
  for (const [policy, type, days, value] of kinds) {
    it(`${policy['keyturn-rotator']} (${type}): from its first rotation on every ${days} days, never because it was old when it was taken over`, async () => {
      const world = new SelfIssuedWorld(`by-type-${type}`)
      const ref = await world.create('one', value, policy)
      world.env.time += 400 * dayMs
      assert.deepEqual(
        (await world.sweep()).filter(({ action }) => action === 'start'),
        [],
      )
      assert.equal((await world.act((deps) => statusOf(deps, ref.shown))).nextAt, undefined)
      await world.rotate(ref)
      const { nextAt = 0, type: shown } = await world.act((deps) => statusOf(deps, ref.shown))
      const { publishedAt } = await world.state(ref)
      assert.equal(shown, type)
      assert.ok(nextAt >= publishedAt + days * dayMs && nextAt <= publishedAt + days * dayMs * 1.05)
      world.env.time = nextAt - 1000
      assert.deepEqual(
        (await world.sweep()).filter(({ action }) => action === 'start'),
        [],
      )
      world.env.time = nextAt
      assert.equal((await world.act(async (deps) => scheduleOf(deps, await deps.store.describe(ref)))).due, true)
      assert.equal((await world.sweep()).filter(({ action, code }) => action === 'start' && code === undefined).length, 1)
    })
  }

  it('what a secret says goes first: another period, or manual', async () => {
    const world = new SelfIssuedWorld('by-type-own')
    const ref = await world.create('one', { key: 'first-key-0123456789' }, { 'keyturn-rotator': 'random', 'keyturn-every': '7d' })
    await world.rotate(ref)
    const at = async () => (await world.act((deps) => statusOf(deps, ref.shown))).nextAt
    const { publishedAt } = await world.state(ref)
    assert.ok(((await at()) ?? 0) < publishedAt + 8 * dayMs)
    await world.main.setPolicy(ref, { 'keyturn-every': null, 'keyturn-mode': 'manual' })
    assert.equal(await at(), undefined)
  })

  it('rotate --type meets every type, and only that; its reason stands in the audit log and in the announcement', async () => {
    const world = new SelfIssuedWorld('by-type-fleet')
    const heard: (string | undefined)[] = []
    world.loadNotifier = async () => ({
      kind: 'log',
      preflight: async () => ({ verdict: 'ok' }),
      advance: async ({ reason }) => {
        heard.push(reason)
        return { phase: 'requested', evidence: 'heard' }
      },
      classify: () => 'internal',
    })
    world.configuration = {
      ...noConfiguration,
      consumers: { log: { key: 'log', kind: 'log', required: false, settings: new SecretText('{}') } },
    }
    const refs = []
    for (const [index, [policy, , , value]] of kinds.entries())
      refs.push(await world.create(`s${index}`, value, { ...policy, 'keyturn-consumers': 'log' }))
    const before = await Promise.all(refs.map((ref) => world.text(ref)))
    const wish = { type: 'symmetric', reason: 'offboarding' }
    const { rotated, failed } = await world.act((deps) => rotateFleet(deps, world.env, wish, () => {}))
    assert.equal(failed, undefined)
    assert.deepEqual([...rotated].sort(), ['memory:s1', 'memory:s2'])
    const after = await Promise.all(refs.map((ref) => world.text(ref)))
    assert.deepEqual(
      after.map((text, index) => text !== before[index]),
      [false, true, true, false],
    )
    const reasons = world.audit.filter(({ effect, reason }) => effect === 'store.claim' && reason === 'offboarding')
    assert.equal(new Set(reasons.map(({ ref }) => ref)).size, 2)
    assert.deepEqual(heard, ['offboarding', 'offboarding'])
  })
})
