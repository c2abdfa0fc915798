import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codeOf } from '../../shared/core/errors.js'
import type { Policy, SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { changePolicy } from '../../shared/lifecycle/secret/adopt.js'
import { viewOf } from '../../shared/lifecycle/secret/parts/view.js'
import { dayMs, SelfIssuedWorld } from '../harness/self-issued-world.js'

const keys = { admin_key: 'first-admin-key', worker_key: 'first-worker-key', monitoring_key: 'first-monitoring-key' }
const value = { note: 'stays', ...keys, nested: { a: [1, 2.5e3] } }
const parts = 'admin_key=random worker_key=random monitoring_key=random'
const open = async (policy: Policy = {}, given: object = value) => {
  const world = new SelfIssuedWorld('parts')
  return { world, ref: await world.create('api-keys', given, { 'keyturn-parts': parts, ...policy }) }
}
const read = (world: SelfIssuedWorld, ref: SecretRef) => world.json<Record<string, string>>(ref)
const fails = (code: string, words: RegExp) => (cause: unknown) => codeOf(cause) === code && words.test(String(cause))

describe('a secret with parts', () => {
  it('one publication changes all of them; every other byte stays; the rotator is named by adopt', async () => {
    const { world, ref } = await open({
      'keyturn-worker_key-form': 'api-key',
      'keyturn-worker_key-prefix': 'work',
      'keyturn-worker_key-spelling': 'change',
      'keyturn-admin_key-form': 'uuid',
      'keyturn-admin_key-spelling': 'change',
    })
    const before = await world.text(ref)
    const { previous } = await world.rotate(ref)
    const now = await read(world, ref)
    assert.match(now.worker_key ?? '', /^work_/)
    assert.match(now.admin_key ?? '', /^[0-9a-f-]{36}$/)
    const back = Object.entries(keys).reduce(
      (text, [name, key]) => text.replace(JSON.stringify(now[name]), JSON.stringify(key)),
      await world.text(ref),
    )
    assert.equal(back, before)
    assert.ok(previous)
    assert.equal((await world.state(ref)).policy['keyturn-rotator'], 'parts')
  })

  it('one part alone, by hand', async () => {
    const { world, ref } = await open()
    await world.rotate(ref, { part: 'worker_key' })
    const now = await read(world, ref)
    assert.notEqual(now.worker_key, keys.worker_key)
    assert.deepEqual({ ...now, worker_key: keys.worker_key }, value)
    await assert.rejects(world.rotate(ref, { part: 'nobody' }), fails('bad_event', /no part nobody/))
    const plain = await world.create('plain', { key: 'first-key-0123456789' }, { 'keyturn-rotator': 'random' })
    await assert.rejects(world.rotate(plain, { part: 'key' }), fails('bad_event', /no part key/))
  })

  it('a rotation of one part that died before its value was kept is begun anew: whoever goes on changes no other part', async () => {
    const { world, ref } = await open()
    const token = 'token-of-one-part-0123456789abcdef' as Token
    const dying = world.newProcess([{ at: 1, mode: 'before' }])
    await assert.rejects(world.rotate(ref, { part: 'admin_key', token }, dying))
    assert.ok(dying.dead)
    world.env.time += dayMs
    await world.sweep()
    assert.deepEqual(await read(world, ref), value)
    await world.rotate(ref, { part: 'worker_key' })
    assert.deepEqual({ ...(await read(world, ref)), worker_key: keys.worker_key }, value)
  })

  it('what keeps its previous credential has an entry that names its part; the next publication waits for it', async () => {
    const { world, ref } = await open({ 'keyturn-admin_key-strategy': 'overlap', 'keyturn-worker_key-strategy': 'overlap' })
    await world.rotate(ref)
    const first = await read(world, ref)
    assert.equal(first.admin_key_previous, keys.admin_key)
    assert.equal(first.monitoring_key_previous, undefined)
    const { journal } = await world.state(ref)
    assert.deepEqual(
      journal?.retiring.map(({ id }) => id),
      ['admin_key admin_key', 'worker_key worker_key'],
    )
    await assert.rejects(world.rotate(ref), fails('held', /stays valid for another/))
    world.env.time += dayMs
    await world.rotate(ref, { part: 'admin_key' })
    const second = await read(world, ref)
    assert.equal(second.admin_key_previous, first.admin_key)
    assert.equal(second.worker_key_previous, first.worker_key_previous)
    const ids = (await world.state(ref)).journal?.retiring.map(({ id }) => id) ?? []
    assert.ok(
      ids.some((id) => id === `admin_key admin_key ${first.admin_key_id}`),
      ids.join(),
    )
  })

  it('what repeats a key is rewritten in the same version: redis-url beside redis-password', async () => {
    const redis = {
      'redis-password': 'first-redis-password',
      'redis-url': 'redis://:first-redis-password@cache:6379/0',
      other: 'redis://:else@cache',
    }
    const { world, ref } = await open({ 'keyturn-parts': 'redis-password=random' }, redis)
    await world.rotate(ref)
    const now = await read(world, ref)
    assert.equal(now['redis-url'], `redis://:${now['redis-password']}@cache:6379/0`)
    assert.equal(now.other, redis.other)
    const hidden = open({ 'keyturn-parts': 'redis-password=random' }, { ...redis, args: '--pass first-redis-password' })
    await assert.rejects(hidden, fails('bad_value', /args holds the password in a form/))
  })

  it('bad input by name: a field that is missing, the same one twice, two targets outside, what needs its own secret, a window of a part', async () => {
    const { world, ref } = await open()
    const change = (patch: Policy) => world.act((deps) => changePolicy(deps, world.main, ref.shown, patch))
    const wrong: readonly (readonly [Policy, string, RegExp])[] = [
      [{ 'keyturn-parts': 'admin_key=random admin_key=random' }, 'bad_policy', /names the field admin_key twice/],
      [{ 'keyturn-parts': 'admin_key' }, 'bad_policy', /not field=rotator/],
      [{ 'keyturn-parts': 'admin_key=randm' }, 'bad_policy', /no rotator "randm"/],
      [{ 'keyturn-parts': 'a=postgres b=memory-a' }, 'bad_policy', /more than one part with a target outside: a, b/],
      [{ 'keyturn-parts': 'admin_key=jwt worker_key=jwt' }, 'bad_policy', /more than one part with a public set: admin_key, worker_key/],
      [{ 'keyturn-parts': 'admin_key=jwt db=memory-a' }, 'bad_policy', /admin_key=jwt beside db, which has a target outside/],
      [{ 'keyturn-parts': 'admin_key=keyring' }, 'bad_policy', /needs a secret of its own/],
      [{ 'keyturn-admin_key-every': 'monthly' }, 'bad_policy', /keyturn-admin_key-every must be a duration/],
      [{ 'keyturn-admin_key-every': '30m' }, 'bad_policy', /keyturn-admin_key-every must be longer than keyturn-grace/],
      [{ 'keyturn-admin_key-window': 'sun 02:00-04:00' }, 'bad_policy', /a part has no window of its own/],
      [{ 'keyturn-strategy': 'overlap' }, 'bad_policy', /cannot be set for a secret with parts/],
      [{ 'keyturn-admin_key-form': 'square' }, 'bad_policy', /keyturn-admin_key-form must be one of/],
      [{ 'keyturn-admin_key-strategy': 'alternate' }, 'bad_policy', /must be one of replace, overlap/],
      [{ 'keyturn-nobody-form': 'uuid' }, 'bad_policy', /keyturn-nobody-form is unknown/],
    ]
    for (const [patch, code, words] of wrong) await assert.rejects(change(patch), fails(code, words), JSON.stringify(patch))
    await world.main.setPolicy(ref, { 'keyturn-parts': 'admin_key=random missing_key=random' })
    await assert.rejects(
      world.rotate(ref),
      (cause) => codeOf(cause) === 'bad_value' && (cause as { field?: string }).field === 'missing_key',
    )
    assert.deepEqual(await read(world, ref), value)
    const four = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`keyturn-${name}-strategy`, 'overlap']))
    const all = { 'keyturn-parts': 'a=random b=random c=random d=random', ...four }
    await assert.rejects(open(all, { a: '1', b: '2', c: '3', d: '4' }), fails('bad_policy', /more than 3 parts that keep/))
  })

  it('every part is checked and tested, not the first alone', async () => {
    const { world, ref } = await open({ 'keyturn-worker_key-form': 'uuid', 'keyturn-worker_key-spelling': 'change' })
    await world.rotate(ref)
    const now = await read(world, ref)
    const given = new SecretText(JSON.stringify({ ...now, worker_key: 'no-uuid-at-all-0123456789' }))
    const put = world.act((deps) => rotate(deps, { kind: 'put', ref: ref.shown, at: world.env.now() }, given))
    await assert.rejects(put, fails('bad_value', /form that keyturn-form asks for/))
    assert.deepEqual(await read(world, ref), now)
    const patch = { 'keyturn-worker_key-form': 'webhook', 'keyturn-worker_key-size': '16' }
    await assert.rejects(
      world.act((deps) => changePolicy(deps, world.main, ref.shown, patch)),
      (cause) => fails('bad_policy', /24 to 64 bytes/)(cause) && (cause as { field?: string }).field === 'keyturn-worker_key-size',
    )
  })

  it('whatever stands beside the parts stays, byte for byte', async () => {
    const odd = fc.dictionary(
      fc.string({ minLength: 1 }).filter((name) => !(name in keys) && name !== '__proto__'),
      fc.jsonValue(),
      { maxKeys: 5 },
    )
    await fc.assert(
      fc.asyncProperty(odd, fc.boolean(), fc.boolean(), async (rest, spaced, overlapping) => {
        const world = new SelfIssuedWorld('parts-odd')
        const before = JSON.stringify({ ...rest, ...keys }, null, spaced ? 2 : 0)
        const strategy: Policy = overlapping ? { 'keyturn-admin_key-strategy': 'overlap' } : {}
        const ref = await world.create('odd', before, { 'keyturn-parts': parts, ...strategy })
        await world.rotate(ref)
        const whole = await world.text(ref)
        // What overlap adds stands at the end, in one line.
        const text = overlapping ? whole.replace(/,\s*"admin_key_previous":\s*"[^"]*",\s*"admin_key_id":\s*"[^"]*"(?=\s*\}$)/, '') : whole
        assert.ok(!overlapping || text.length < whole.length)
        const now = JSON.parse(text) as Record<string, string>
        const back = Object.entries(keys).reduce(
          (all, [name, key]) => all.replace(JSON.stringify(now[name]), () => JSON.stringify(key)),
          text,
        )
        assert.equal(back, before)
      }),
      { numRuns: 60 },
    )
  })

  it('a field of a part that is null or empty counts as absent: the one without the prefix says it', () => {
    for (const nothing of [null, '']) {
      const text = JSON.stringify({
        'db-host': nothing,
        host: 'h',
        'db-user': nothing,
        username: 'u',
        'db-port': nothing,
        'db-password': 'p',
      })
      const view = JSON.parse(viewOf(new SecretText(text), 'db-password').reveal()) as object
      assert.deepEqual(view, { host: 'h', port: nothing, username: 'u', password: 'p' })
    }
  })
})
