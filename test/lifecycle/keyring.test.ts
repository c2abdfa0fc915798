import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { Notifier } from '../../shared/core/ports/notifier.js'
import type { ConsumerPhase, Policy, SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { reencrypted } from '../../shared/lifecycle/retirement/reencrypted.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { changePolicy } from '../../shared/lifecycle/secret/adopt.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { dayMs, SelfIssuedWorld } from '../harness/self-issued-world.js'

interface Ring {
  readonly data: string
  readonly data_id: string
  readonly data_previous: readonly { readonly id: string; readonly key: string }[]
}
const own: Policy = { 'keyturn-rotator': 'keyring', 'keyturn-field': 'data', 'keyturn-count': '3' }
const first = 'ab'.repeat(32)
async function open(policy: Policy = {}): Promise<{ world: SelfIssuedWorld; ref: SecretRef }> {
  const world = new SelfIssuedWorld('keyring')
  return { world, ref: await world.create('data-key', { data: first, other: 1 }, { ...own, ...policy }) }
}
const say = (world: SelfIssuedWorld, ref: SecretRef, id: string) => world.act((deps) => reencrypted(deps, ref.shown, id))
const turn = async (world: SelfIssuedWorld, ref: SecretRef): Promise<Ring> => {
  await world.rotate(ref)
  world.env.time += dayMs
  return world.json<Ring>(ref)
}
const fails =
  (code: string, words = /./) =>
  (cause: unknown) =>
    codeOf(cause) === code && words.test(`${cause} ${(cause as { next?: string }).next}`)

describe('a keyring', () => {
  it('a new key encrypts, the older ones decrypt, newest first, of the same form and size', async () => {
    const { world, ref } = await open()
    const one = await turn(world, ref)
    assert.match(one.data, /^[0-9a-f]{64}$/)
    assert.deepEqual(one.data_previous, [{ id: 'first', key: first }])
    const two = await turn(world, ref)
    assert.deepEqual(
      two.data_previous.map(({ id }) => id),
      [one.data_id, 'first'],
    )
    assert.equal((await world.json<{ other: number }>(ref)).other, 1)
  })

  it('a full ring is held, without limit, until one is said to be re-encrypted; that one leaves with the next rotation', async () => {
    const { world, ref } = await open()
    const one = await turn(world, ref)
    await turn(world, ref)
    for (const kind of ['rotate', 'emergency'] as const)
      await assert.rejects(world.rotate(ref, { kind }), fails('held', kind === 'emergency' ? /still decrypt something/ : /still in use/))
    world.env.time += 400 * dayMs
    await assert.rejects(world.rotate(ref), fails('held'))
    assert.equal((await say(world, ref, 'first')).outcome, 'released')
    assert.equal((await say(world, ref, 'first')).outcome, 'released before')
    const { entries } = await world.act((deps) => retirePass(deps, ref.shown))
    assert.deepEqual(entries.map(({ id, state }) => `${id} ${state}`).sort(), [`${one.data_id} waiting`, 'first armed'])
    assert.match(await world.text(ref), new RegExp(first))
    const three = await turn(world, ref)
    assert.ok(!(await world.text(ref)).includes(first))
    assert.deepEqual(three.data_previous.map(({ id }) => id).slice(-1), [one.data_id])
    assert.deepEqual(
      (await world.state(ref)).journal?.retiring.map(({ state }) => state),
      ['waiting', 'waiting'],
    )
  })

  it('where every note is lost nothing is dropped: it has to be said once more', async () => {
    const { world, ref } = await open()
    await turn(world, ref)
    await turn(world, ref)
    await say(world, ref, 'first')
    world.main.wipeJournal(ref)
    await assert.rejects(world.rotate(ref), fails('held'))
    await world.act((deps) => announce(deps, ref.shown))
    assert.deepEqual(
      (await world.state(ref)).journal?.retiring.map(({ state }) => state),
      ['waiting', 'waiting'],
    )
    await say(world, ref, 'first')
    await turn(world, ref)
    assert.ok(!(await world.text(ref)).includes(first))
  })

  it('it cannot be said while a required consumer may still encrypt with it', async () => {
    const { world, ref } = await open()
    let phase: ConsumerPhase = 'drained'
    const notifier: Notifier = {
      kind: 'memory',
      preflight: async () => ({ verdict: 'ok' }),
      advance: async () => ({ phase, evidence: phase }),
      classify: () => 'internal',
    }
    world.loadNotifier = async () => notifier
    world.configuration = {
      ...noConfiguration,
      consumers: { app: { key: 'app', kind: 'memory', required: true, settings: new SecretText('{}') } },
    }
    await world.main.setPolicy(ref, { 'keyturn-consumers': 'app' })
    await turn(world, ref)
    phase = 'synced'
    await assert.rejects(say(world, ref, 'first'), fails('held', /app\. They may still encrypt with first/))
    phase = 'drained'
    assert.equal((await say(world, ref, 'first')).outcome, 'released')
  })

  it('there is no way back, and no put that loses a key or encrypts with an old one again', async () => {
    const { world, ref } = await open()
    const one = await turn(world, ref)
    await assert.rejects(world.rotate(ref, { kind: 'rollback' }), fails('bad_event', /cannot be rolled back/))
    const put = (value: object) =>
      world.act((deps) =>
        rotate(
          deps,
          {
            kind: 'put',
            ref: ref.shown,
            at: world.env.now(),
            token: `token-put-${JSON.stringify(value).length}-0123456789-0123456789` as Token,
          },
          new SecretText(JSON.stringify(value)),
        ),
      )
    await assert.rejects(put({ data: 'cd'.repeat(32), data_id: 'x' }), fails('bad_value', /without the key/))
    await assert.rejects(
      put({ ...one, data: first, data_id: 'first', data_previous: [{ id: one.data_id, key: one.data }] }),
      fails('bad_value', /encrypt with first again/),
    )
    await assert.rejects(
      put({ ...one, data_previous: [{ id: 'first', key: 'ef'.repeat(32) }] }),
      fails('bad_value', /another key as first/),
    )
    assert.deepEqual(await world.json<Ring>(ref), one)
  })

  it('bad input by name: a key that is not kept, a clash of ids, one key twice, a count that would drop one, no form', async () => {
    const { world, ref } = await open()
    const one = await turn(world, ref)
    await turn(world, ref)
    const { data_id: primary } = await world.json<Ring>(ref)
    await assert.rejects(say(world, ref, primary), fails('bad_event', /keeps no older key/))
    await assert.rejects(say(world, ref, 'nobody'), fails('bad_event', new RegExp(`It keeps ${one.data_id}, first`)))
    const other = await world.create('api', { key: 'first-key-0123456789' }, { 'keyturn-rotator': 'random' })
    await assert.rejects(say(world, other, 'first'), fails('bad_event', /keeps no older keys/))
    const change = (patch: Policy) => world.act((deps) => changePolicy(deps, world.main, ref.shown, patch))
    await assert.rejects(change({ 'keyturn-count': '2' }), fails('bad_policy', /would be dropped while it decrypts/))
    for (const [value, field] of [
      [
        {
          data: first,
          data_previous: [
            { id: 'a', key: 'x' },
            { id: 'a', key: 'y' },
          ],
        },
        'data_previous',
      ],
      [{ data: first, data_previous: [{ id: 'first', key: 'x' }] }, 'data_previous'],
      [{ data: first, data_previous: [{ id: 'a', key: first }] }, 'data_previous'],
      [{ data: first, data_previous: 'Canary' }, 'data_previous'],
      [{ data: 7 }, 'data'],
      [{ data: first, data_id: 7 }, 'data_id'],
    ] as const)
      await assert.rejects(
        world.create(`bad-${field}-${JSON.stringify(value).length}`, value, own),
        (cause) => fails('bad_value')(cause) && (cause as { field?: string }).field === field && !String(cause).includes('Canary'),
      )
    await assert.rejects(world.create('odd', { data: 'no-encoding-at-all!' }, own), fails('bad_policy', /neither hex nor base64/))
  })
})

describe('what a service needs to know of an API key', () => {
  it('digests alone, of both that are accepted, before the key is used', async () => {
    const { createHash } = await import('node:crypto')
    const world = new SelfIssuedWorld('digests')
    world.companions({ service: { content: 'digests', at: 'memory:hashes', order: 'before' } })
    const policy = {
      'keyturn-rotator': 'random',
      'keyturn-strategy': 'overlap',
      'keyturn-form': 'api-key',
      'keyturn-spelling': 'change',
      'keyturn-companions': 'service',
    }
    const ref = await world.create('api', { key: 'first-key-0123456789' }, policy)
    const hashes = await world.create('hashes', {}, {}, world.other)
    const sha = (text: string) => createHash('sha256').update(text).digest('hex')
    for (let round = 0; round < 3; round++) {
      await world.rotate(ref)
      const { key, key_previous, key_id } = await world.json<Record<string, string>>(ref)
      const text = await world.text(hashes, world.other)
      assert.deepEqual(JSON.parse(text), { current: { id: key_id, sha256: sha(key ?? '') }, previous: { sha256: sha(key_previous ?? '') } })
      assert.ok(!text.includes(key ?? ''))
      world.env.time += dayMs
    }
    await world.rotate(ref, { kind: 'emergency' })
    assert.equal((await world.json<{ previous: unknown }>(hashes, world.other)).previous, null)
    world.companions({ service: { content: 'digests', at: 'memory:hashes', order: 'before' } })
    const jwt = await world.create('jwt', {}, { 'keyturn-rotator': 'jwt', 'keyturn-algorithm': 'ES256', 'keyturn-companions': 'service' })
    await assert.rejects(world.rotate(jwt), fails('bad_config', /has no digests/))
  })
})
