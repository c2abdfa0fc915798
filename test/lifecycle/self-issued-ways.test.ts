import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { codeOf } from '../../shared/core/errors.js'
import type { SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { scheduleOf } from '../../shared/lifecycle/fleet/plan.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { reencrypted } from '../../shared/lifecycle/retirement/reencrypted.js'
import { revoke } from '../../shared/lifecycle/retirement/revoke.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { changePolicy } from '../../shared/lifecycle/secret/adopt.js'
import { dayMs, SelfIssuedWorld } from '../harness/self-issued-world.js'

const jwt = { 'keyturn-rotator': 'jwt', 'keyturn-algorithm': 'ES256' }
interface Keys {
  readonly current: { readonly kid: string }
  readonly next: { readonly kid: string }
  readonly previous: { readonly kid: string } | null
}
const kidsIn = (text: string): string[] => (JSON.parse(text) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
const fails =
  (code: string, words = /./) =>
  (cause: unknown) =>
    codeOf(cause) === code && words.test(`${cause}`)
const put = (world: SelfIssuedWorld, ref: SecretRef, value: object, token: string) =>
  world.act((deps) =>
    rotate(
      deps,
      { kind: 'put', ref: ref.shown, at: world.env.now(), token: `token-${token}-0123456789-0123456789abcd` as Token },
      new SecretText(JSON.stringify(value)),
    ),
  )

describe('an emergency of what is self-issued', () => {
  it('does not publish what an ordinary rotation has staged, nor takes its publication for an answer', async () => {
    const world = new SelfIssuedWorld('emergency-open')
    const ref = await world.create('jwt', {}, jwt)
    await world.rotate(ref)
    world.env.time += 2 * dayMs
    const leaked = await world.json<Keys>(ref)
    await world.rotate(ref, { step: 'create' })
    const { kind } = await world.rotate(ref, { kind: 'emergency' })
    assert.equal(kind, 'emergency')
    const text = await world.text(ref)
    for (const { kid } of [leaked.current, leaked.next]) assert.ok(!text.includes(kid))
  })

  it('a key with overlap that is being rotated: nothing of what leaked stays', async () => {
    const world = new SelfIssuedWorld('emergency-random')
    const ref = await world.create('key', { key: 'leaked-key-0123456789' }, { 'keyturn-rotator': 'random', 'keyturn-strategy': 'overlap' })
    await world.rotate(ref, { step: 'create' })
    await world.rotate(ref, { kind: 'emergency' })
    assert.ok(!(await world.text(ref)).includes('leaked-key'))
  })

  it('one of two places is out of reach: the signer changes all the same, and that place follows when it is back', async () => {
    const world = new SelfIssuedWorld('emergency-down')
    world.companions({
      one: { content: 'public-set', at: 'path:/one', order: 'before' },
      two: { content: 'public-set', at: 'path:/two', order: 'before' },
    })
    const ref = await world.create('jwt', {}, { ...jwt, 'keyturn-companions': 'one two' })
    await world.rotate(ref)
    world.env.time += 2 * dayMs
    world.down.add('path:/two')
    await assert.rejects(world.rotate(ref))
    await world.rotate(ref, { kind: 'emergency' })
    const { current } = await world.json<Keys>(ref)
    assert.ok(kidsIn(world.files.get('path:/one') ?? '').includes(current.kid))
    assert.ok(!kidsIn(world.files.get('path:/two') ?? '').includes(current.kid))
    world.down.clear()
    world.env.time += dayMs / 24
    await world.sweep()
    assert.ok(kidsIn(world.files.get('path:/two') ?? '').includes(current.kid))
  })
})

describe('a place of a public set that is behind', () => {
  const two = {
    one: { content: 'public-set', at: 'path:/one', order: 'before' },
    two: { content: 'public-set', at: 'path:/two', order: 'before' },
  } as const
  it('after an emergency that it missed the next rotation waits until it was reached, and until its verifiers know the next key', async () => {
    const world = new SelfIssuedWorld('behind')
    world.companions(two)
    const ref = await world.create('jwt', {}, { ...jwt, 'keyturn-companions': 'one two' })
    await world.rotate(ref)
    world.env.time += 2 * dayMs
    world.down.add('path:/two')
    await world.rotate(ref, { kind: 'emergency' })
    world.env.time += 2 * dayMs
    await assert.rejects(world.rotate(ref), fails('held', /not announced to every consumer yet: two .path:.two. could not be notified/))
    world.down.clear()
    await world.sweep()
    await assert.rejects(world.rotate(ref), fails('held', /may not sign before/))
    const { next } = await statusOf(world.deps('one'), ref.shown)
    assert.ok(next.do === 'refuse' && /may not sign before/.test(next.why), JSON.stringify(next))
    world.env.time += dayMs
    await world.rotate(ref)
  })

  it('one that is named later, or was written past us, counts from when it was right; looking at it does not', async () => {
    const world = new SelfIssuedWorld('named-later')
    world.companions(two)
    const ref = await world.create('jwt', {}, { ...jwt, 'keyturn-companions': 'one' })
    await world.rotate(ref)
    const held = () => assert.rejects(world.rotate(ref), fails('held', /may not sign before/))
    const [name, overwrite] = [
      () => world.main.setPolicy(ref, { 'keyturn-companions': 'one two' }),
      async () => void world.files.set('path:/one', '{"keys":[]}'),
    ]
    // Also where no sweep came between: who rotates looks itself.
    for (const [act, swept] of [
      [name, true],
      [overwrite, true],
      [overwrite, false],
    ] as const) {
      world.env.time += 2 * dayMs
      await act()
      if (swept) await world.sweep()
      await held()
      world.env.time += 2 * dayMs
      const { rev } = await world.state(ref)
      await world.sweep()
      await world.sweep()
      const { next } = await statusOf(world.deps('one'), ref.shown)
      assert.equal(next.do, 'go', JSON.stringify(next))
      const kept = (await world.state(ref)).journal?.seen
      await world.sweep()
      assert.deepEqual((await world.state(ref)).journal?.seen, kept, rev)
    }
    await world.rotate(ref)
  })
})

describe('ways back of what is self-issued', () => {
  it('jwt: back to the key before while verifiers know it; not when its time is over, and never to what an emergency left', async () => {
    const world = new SelfIssuedWorld('jwt-back')
    const ref = await world.create('jwt', {}, jwt)
    await world.rotate(ref)
    world.env.time += 2 * dayMs
    const before = await world.json<Keys>(ref)
    await world.rotate(ref)
    await world.rotate(ref, { kind: 'rollback' })
    assert.equal((await world.json<Keys>(ref)).current.kid, before.current.kid)
    world.env.time += 2 * dayMs
    await world.rotate(ref)
    world.env.time += 30 * dayMs
    await assert.rejects(world.rotate(ref, { kind: 'rollback' }), fails('bad_event', /no longer accepts/))
    await world.rotate(ref, { kind: 'emergency' })
    await assert.rejects(world.rotate(ref, { kind: 'rollback' }), fails('bad_event', /no longer accepts/))
  })

  it('keyring: revoke ends nothing, and arms nothing', async () => {
    const world = new SelfIssuedWorld('ring-revoke')
    const ref = await world.create('data', { key: 'ab'.repeat(32) }, { 'keyturn-rotator': 'keyring', 'keyturn-count': '3' })
    await world.rotate(ref)
    await assert.rejects(
      world.act((deps) => revoke(deps, ref.shown, 'a test')),
      fails('bad_event', /nothing to revoke/),
    )
    world.env.time += dayMs
    await world.rotate(ref)
    assert.ok((await world.text(ref)).includes('ab'.repeat(32)))
  })

  it('keyring: full, an emergency is refused before anything is claimed; an unknown consumer arms nothing', async () => {
    const world = new SelfIssuedWorld('ring-full')
    const ref = await world.create('data', { key: 'ab'.repeat(32) }, { 'keyturn-rotator': 'keyring', 'keyturn-count': '2' })
    await world.rotate(ref)
    const process = world.newProcess()
    await assert.rejects(world.rotate(ref, { kind: 'emergency' }, process), fails('held'))
    assert.deepEqual(process.effects, [])
    await world.main.setPolicy(ref, { 'keyturn-consumers': 'nobody' })
    await assert.rejects(
      world.act((deps) => reencrypted(deps, ref.shown, 'first')),
      fails('bad_config', /nobody/),
    )
  })

  it('jwt: a kid stands for one key, whoever puts another one under it; a text where a key should be is never quoted', async () => {
    const world = new SelfIssuedWorld('jwt-kid')
    const ref = await world.create('jwt', {}, jwt)
    await world.rotate(ref)
    world.env.time += dayMs
    const value = await world.json<{ current: { kid: string }; next: { private: object } }>(ref)
    await assert.rejects(
      put(world, ref, { current: { ...value.current, private: value.next.private } }, 'reuse'),
      fails('bad_value', /for a different key/),
    )
    const pem = '-----BEGIN PRIVATE KEY-----\nCanaryLine1\nCanaryLine2\n-----END PRIVATE KEY-----\n'
    for (const wrong of [{ current: pem }, { current: { ...value.current, private: pem } }])
      await assert.rejects(
        put(world, ref, wrong, `wrong-${JSON.stringify(wrong).length}`),
        (cause) => fails('bad_value')(cause) && !inspect(cause, { depth: 9 }).includes('Canary'),
      )
  })
})

describe('back to a value beside others', () => {
  it('a list keeps what was used since; the one that is brought back is the first', async () => {
    const world = new SelfIssuedWorld('list-back')
    const list = async () => (await world.json<{ cipher: string[] }>(ref)).cipher
    const ref = await world.create(
      'list',
      { cipher: ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)] },
      { 'keyturn-rotator': 'secret-list' },
    )
    await world.rotate(ref)
    const [newest = '', a, b] = await list()
    await world.rotate(ref, { kind: 'rollback' })
    assert.deepEqual(await list(), [a, newest, b])
  })

  it('a key with overlap: the one that clients may have taken already is still accepted, and its digest known', async () => {
    const world = new SelfIssuedWorld('overlap-back')
    world.companions({ hashes: { content: 'digests', at: 'memory:hashes', order: 'before' } })
    await world.create('hashes', {}, {}, world.other)
    const ref = await world.create(
      'key',
      { key: 'first-key-0123456789' },
      { 'keyturn-rotator': 'random', 'keyturn-strategy': 'overlap', 'keyturn-companions': 'hashes' },
    )
    await world.rotate(ref)
    const { key } = await world.json<{ key: string }>(ref)
    await world.rotate(ref, { kind: 'rollback' })
    const back = await world.json<{ key: string; key_previous: string }>(ref)
    assert.deepEqual([back.key, back.key_previous], ['first-key-0123456789', key])
    const text = await world.text(await world.other.resolve('hashes'), world.other)
    for (const one of [back.key, key]) assert.ok(text.includes(createHash('sha256').update(one).digest('hex')))
  })

  it('parts go back each in its own way', async () => {
    const world = new SelfIssuedWorld('parts-back')
    const parts = { 'keyturn-parts': 'plain=random cookie=secret-list' }
    const ref = await world.create('both', { plain: 'first-plain-0123456789', cookie: ['d'.repeat(32)] }, parts)
    await world.rotate(ref)
    const now = await world.json<{ cookie: string[] }>(ref)
    await world.rotate(ref, { kind: 'rollback' })
    const back = await world.json<{ plain: string; cookie: string[] }>(ref)
    assert.deepEqual([back.plain, back.cookie], ['first-plain-0123456789', ['d'.repeat(32), now.cookie[0]]])
  })

  it('overlap that is switched off leaves no key that a service would go on accepting, and touches no field of somebody else', async () => {
    const world = new SelfIssuedWorld('overlap-off')
    const ref = await world.create('key', { key: 'first-key-0123456789' }, { 'keyturn-rotator': 'random', 'keyturn-strategy': 'overlap' })
    await world.rotate(ref)
    await world.main.setPolicy(ref, { 'keyturn-strategy': 'replace' })
    world.env.time += 2 * dayMs
    await world.sweep()
    await world.rotate(ref)
    assert.deepEqual(Object.keys(await world.json(ref)), ['key'])
    const own = { key: 'first-key-0123456789', key_id: 'prod', key_previous: 'theirs' }
    const other = await world.create('other', own, { 'keyturn-rotator': 'random' })
    await world.rotate(other)
    assert.deepEqual({ ...(await world.json<object>(other)), key: own.key }, own)
  })
})

describe('what a policy says that could never be kept', () => {
  it('is refused when it is written: a schedule faster than verifiers, a companion that nobody configured', async () => {
    const world = new SelfIssuedWorld('policy-early')
    const ref = await world.create('jwt', {}, jwt)
    for (const [patch, code] of [
      [{ 'keyturn-every': '61m' }, 'bad_policy'],
      [{ 'keyturn-companions': 'typo' }, 'bad_config'],
    ] as const)
      await assert.rejects(
        world.act((deps) => changePolicy(deps, world.main, ref.shown, patch)),
        fails(code),
      )
    assert.equal((await world.state(ref)).policy['keyturn-every'], undefined)
  })
})

describe('what status says of what is self-issued', () => {
  it('the same as the run: a signing key that is too young, a ring that is full', async () => {
    const world = new SelfIssuedWorld('status-early')
    const ref = await world.create('jwt', {}, { ...jwt, 'keyturn-verifiers': 'ticker=12h' })
    const next = () => world.act((deps) => statusOf(deps, ref.shown)).then((found) => found.next)
    assert.equal((await next()).do, 'go')
    await world.rotate(ref)
    world.env.time += dayMs / 4
    const early = await next()
    assert.ok(early.do === 'refuse' && early.code === 'held' && /may not sign before/.test(early.why), JSON.stringify(early))
    await assert.rejects(world.rotate(ref), fails('held', /may not sign before/))
    world.env.time += dayMs
    assert.equal((await next()).do, 'go')
  })
})

describe('companions of what is self-issued', () => {
  it('a set is never published without the key that signs: not for a key without a name, nor for an empty value', async () => {
    const world = new SelfIssuedWorld('set-kept')
    world.companions({ jwks: { content: 'public-set', at: 'memory:jwks', order: 'before' } })
    const there = { keys: [{ kty: 'EC', kid: 'by-hand', alg: 'ES256', use: 'sig', crv: 'P-256', x: 'x', y: 'y' }] }
    const set = await world.create('jwks', there, {}, world.other)
    const ref = await world.create('jwt', {}, { ...jwt, 'keyturn-companions': 'jwks' })
    await world.sweep()
    assert.deepEqual(await world.json(set, world.other), there)
    await world.rotate(ref)
    const right = await world.text(set, world.other)
    world.env.time += dayMs
    await put(world, ref, {}, 'empty')
    await world.sweep()
    assert.equal(await world.text(set, world.other), right)
  })

  it('a login is written only where it has a place; a companion gets no field, and of several parts only those that it has', async () => {
    const world = new SelfIssuedWorld('places')
    world.companions({ one: { content: 'credential', at: 'memory:one', order: 'after' } })
    const key = await world.create('key', { api_key: 'first-key-0123456789' }, { 'keyturn-rotator': 'random', 'keyturn-companions': 'one' })
    const bare = await world.create('bare', 'first-key-0123456789', { 'keyturn-rotator': 'random', 'keyturn-companions': 'one' })
    const several = await world.create(
      'several',
      { admin_key: 'first-a-0123456789', jwt_secret: 'first-b-0123456789' },
      { 'keyturn-parts': 'admin_key=random jwt_secret=random', 'keyturn-companions': 'one' },
    )
    const one = await world.create('one', { token: 'old', host: 'h' }, {}, world.other)
    const code = async (ref: SecretRef) => {
      await world.rotate(ref)
      return (await world.state(ref)).journal?.seen?.one?.code
    }
    for (const ref of [key, bare]) assert.equal(await code(ref), 'bad_value')
    assert.deepEqual(await world.json(one, world.other), { token: 'old', host: 'h' })
    world.other.writeForeign(one, new SecretText('{"admin_key":"old","note":1}'))
    world.env.time += dayMs
    assert.equal(await code(several), undefined)
    const { admin_key } = await world.json<{ admin_key: string }>(several)
    assert.deepEqual(await world.json(one, world.other), { admin_key, note: 1 })
    world.other.writeForeign(one, new SecretText('redis://cache:6379/0'))
    world.env.time += dayMs
    await world.rotate(bare).catch(() => undefined)
    assert.equal(await world.text(one, world.other), 'redis://cache:6379/0')
  })

  it('is of one secret: another one that names it too writes nothing there', async () => {
    const world = new SelfIssuedWorld('one-source')
    world.companions({ jwks: { content: 'public-set', of: 'memory:jwt', at: 'path:/srv/jwks.json', order: 'before' } })
    const ref = await world.create('jwt', {}, { ...jwt, 'keyturn-companions': 'jwks' })
    await world.rotate(ref)
    const set = world.files.get('path:/srv/jwks.json')
    const other = await world.create('other', {}, { ...jwt, 'keyturn-companions': 'jwks' })
    await assert.rejects(world.rotate(other), fails('bad_config', /belongs to memory:jwt, not to memory:other/))
    await world.sweep()
    assert.equal(world.files.get('path:/srv/jwks.json'), set)
  })

  it('what is written outside the stores stands in the audit log, before and after', async () => {
    const world = new SelfIssuedWorld('artefact-audit')
    world.companions({ web: { content: 'public-set', at: 'path:/srv/jwks.json', order: 'before' } })
    const ref = await world.create('jwt', {}, { ...jwt, 'keyturn-companions': 'web' })
    await world.rotate(ref)
    const records = world.audit.filter(({ effect }) => effect === 'artefact.publish').map(({ phase, ref: at }) => `${phase} ${at}`)
    assert.deepEqual(records, ['intent path:/srv/jwks.json', 'outcome path:/srv/jwks.json'])
  })
})

describe('parts, one by one', () => {
  const own = { 'keyturn-parts': 'a=random b=random' }
  const open = async (seed: string) => {
    const world = new SelfIssuedWorld(seed)
    return { world, ref: await world.create('both', { a: 'first-a-0123456789', b: 'first-b-0123456789' }, own) }
  }
  it('two that are asked for at once are both rotated; one that is open for another part is no answer', async () => {
    const { world, ref } = await open('parts-both')
    const at = world.env.now()
    await world.rotate(ref, { part: 'a', at })
    await world.rotate(ref, { part: 'b', at })
    const first = await world.json<{ a: string; b: string }>(ref)
    assert.ok(first.a !== 'first-a-0123456789' && first.b !== 'first-b-0123456789')
    world.env.time += dayMs
    await world.rotate(ref, { part: 'a', step: 'create' })
    await world.rotate(ref, { part: 'b' })
    const second = await world.json<{ a: string; b: string }>(ref)
    assert.ok(second.a !== first.a && second.b !== first.b)
  })
  it('an emergency of all of them changes all of them, whatever is staged for one', async () => {
    const { world, ref } = await open('parts-emergency')
    await world.rotate(ref, { part: 'a', step: 'create' })
    await world.rotate(ref, { kind: 'emergency' })
    const now = await world.json<{ a: string; b: string }>(ref)
    assert.ok(now.a !== 'first-a-0123456789' && now.b !== 'first-b-0123456789')
  })
  it('a default of their type does not stand in the way; parts beside another rotator, or in one another’s fields, are refused', async () => {
    const { world, ref } = await open('parts-default')
    world.configuration = { ...world.configuration, defaults: { 'api-key': { 'keyturn-strategy': 'overlap', 'keyturn-every': '10d' } } }
    await world.rotate(ref)
    assert.ok(((await world.act(async (deps) => scheduleOf(deps, await world.state(ref)))).nextAt ?? 0) < world.env.now() + 12 * dayMs)
    await assert.rejects(world.create('mixed', { a: 'x' }, { ...own, 'keyturn-rotator': 'random' }), fails('bad_policy', /is set beside/))
    await assert.rejects(
      world.create('over', { key: 'x', key_previous: 'y' }, { 'keyturn-parts': 'key=random key_previous=random' }),
      fails('bad_policy', /keeps its previous credential/),
    )
  })
})
