import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { codeOf } from '../../shared/core/errors.js'
import type { Policy, SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { plan } from '../../shared/lifecycle/fleet/plan.js'
import { rotateFleet } from '../../shared/lifecycle/fleet/rotate-all.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { changePolicy } from '../../shared/lifecycle/secret/adopt.js'
import { containers, keysOf } from '../harness/keys.js'
import { dayMs, SelfIssuedWorld } from '../harness/self-issued-world.js'

const fernet = keysOf['a Fernet key']?.[0]('first') ?? ''
const token = keysOf['base64url without padding']?.[0]('first') ?? ''
const dotenv = containers.dotenv ?? ''

/** A secret with its policy as it may be stored since before these refusals: nobody adopts it. */
async function stored(value: string | object, policy: Policy): Promise<{ world: SelfIssuedWorld; ref: SecretRef }> {
  const world = new SelfIssuedWorld('stored')
  const ref = await world.create('stored', value)
  await world.main.setPolicy(ref, policy)
  return { world, ref }
}
const change = (world: SelfIssuedWorld, ref: SecretRef, patch: Readonly<Record<string, string | null>>) =>
  world.act((deps) => changePolicy(deps, world.main, ref.shown, patch))
const status = (world: SelfIssuedWorld, ref: SecretRef) => world.act((deps) => statusOf(deps, ref.shown))
const put = (world: SelfIssuedWorld, ref: SecretRef, value: string | object, name: string) =>
  world.act((deps) => {
    const text = new SecretText(typeof value === 'string' ? value : JSON.stringify(value))
    const asked = { kind: 'put', ref: ref.shown, at: world.env.now(), token: `token-${name}-0123456789-0123456789abcd` as Token } as const
    return rotate(deps, asked, text)
  })

describe('a stored value that is refused now', () => {
  const refused: readonly (readonly [what: string, value: string | object, policy: Policy, code: string, way: Policy | undefined])[] = [
    ['dotenv', dotenv, { 'keyturn-rotator': 'random' }, 'bad_value', undefined],
    ['dotenv in the field of a key', { key: dotenv }, { 'keyturn-rotator': 'random', 'keyturn-field': 'key' }, 'bad_value', undefined],
    ['dotenv as an encryption key', { key: dotenv }, { 'keyturn-rotator': 'keyring' }, 'bad_value', undefined],
    ['dotenv in a list', { list: [dotenv] }, { 'keyturn-rotator': 'secret-list' }, 'bad_value', undefined],
    ['a short key', { key: 'Canary' }, { 'keyturn-rotator': 'random' }, 'bad_policy', { 'keyturn-spelling': 'change' }],
    [
      'another form than the policy names',
      { key: fernet },
      { 'keyturn-rotator': 'random', 'keyturn-form': 'hex' },
      'bad_policy',
      { 'keyturn-form': '' },
    ],
  ]
  for (const [what, value, policy, code, way] of refused)
    it(`${what}: nothing is replaced; status, plan and policy work, and a put leads on`, async () => {
      const { world, ref } = await stored(value, policy)
      const before = await world.text(ref)
      const fails = (cause: unknown) =>
        codeOf(cause) === code && !/Canary/.test(inspect(cause, { depth: 9 })) && !/<ref>/.test(String((cause as { next?: string }).next))
      await assert.rejects(world.rotate(ref), fails)
      assert.deepEqual(
        (await world.sweep()).filter(({ action, code: of }) => action === 'start' && of === undefined),
        [],
      )
      assert.equal(await world.text(ref), before)
      const { next } = await status(world, ref)
      assert.ok(
        next.do === 'refuse' && next.code === code && next.next !== undefined && !/Canary/.test(JSON.stringify(next)),
        JSON.stringify(next),
      )
      await world.act(async (deps) => {
        for await (const line of plan(deps)) assert.ok(line.rotation === 'refused' && line.why !== undefined && !/Canary/.test(line.why))
      })
      for (const patch of [{ 'keyturn-every': '30d' }, { 'keyturn-mode': 'paused' }, { 'keyturn-owner': 'team' }, { 'keyturn-mode': null }])
        await change(world, ref, patch)
      if (way !== undefined) {
        await change(world, ref, Object.fromEntries(Object.entries(way).map(([name, text]) => [name, text || null])))
        await world.rotate(ref)
        return
      }
      const good = policy['keyturn-rotator'] === 'secret-list' ? { list: [token] } : { key: fernet }
      await put(world, ref, good, 'good')
      world.env.time += dayMs
      await world.rotate(ref)
    })

  it('a rotation that was begun before its value was refused does not stop the put that corrects it', async () => {
    const { world, ref } = await stored({ key: fernet }, { 'keyturn-rotator': 'random' })
    await world.rotate(ref, {}, world.newProcess([{ at: 1, mode: 'before' }])).catch(() => undefined)
    await world.main.setPolicy(ref, { 'keyturn-form': 'hex' })
    world.env.time += dayMs
    await assert.rejects(world.rotate(ref), (cause) => codeOf(cause) === 'bad_policy')
    const hex = 'ab'.repeat(32)
    await put(world, ref, { key: hex }, 'hex')
    assert.deepEqual(await world.json(ref), { key: hex })
  })

  it('a put of a container is refused, and the key that is there stays', async () => {
    const { world, ref } = await stored({ key: fernet }, { 'keyturn-rotator': 'random' })
    for (const [name, text] of [
      ['in-field', { key: dotenv }],
      ['whole', dotenv],
    ] as const)
      await assert.rejects(
        put(world, ref, text, name),
        (cause) => codeOf(cause) === 'bad_value' && !/Canary/.test(inspect(cause, { depth: 9 })),
      )
    assert.deepEqual(await world.json(ref), { key: fernet })
  })

  it('white space around a key is not a second line, and stays', async () => {
    const { world, ref } = await stored(`${token}\n`, { 'keyturn-rotator': 'random' })
    await world.rotate(ref)
    assert.match(await world.text(ref), /^[\w-]{43}\n$/)
    assert.notEqual(await world.text(ref), `${token}\n`)
  })

  it('a companion whose value is a container is not replaced by the key', async () => {
    const world = new SelfIssuedWorld('companion')
    world.companions({ one: { content: 'credential', at: 'memory:one', order: 'after' } })
    const ref = await world.create('bare', token, { 'keyturn-rotator': 'random', 'keyturn-companions': 'one' })
    const one = await world.create('one', dotenv, {}, world.other)
    await world.rotate(ref)
    assert.equal(await world.text(one, world.other), dotenv)
    world.other.writeForeign(one, new SecretText(token))
    world.env.time += dayMs
    await world.sweep()
    assert.equal(await world.text(one, world.other), await world.text(ref))
    world.other.writeForeign(one, new SecretText(dotenv))
    world.env.time += dayMs
    await world.rotate(ref)
    assert.equal((await world.state(ref)).journal?.seen?.one?.code, 'bad_value')
  })
})

describe('every rotation lists the fields that it rewrote', () => {
  const value = { token, redis_password: token, url: `redis://:${token}@cache`, note: 'stays' }
  const policy = { 'keyturn-rotator': 'random', 'keyturn-field': 'token' }
  const fields = ['token', 'redis_password', 'url']
  it('in one run, after a step, after a crash at each effect, by a sweep, with all others, and on the way back', async () => {
    for (const at of [1, 2, 3, 4]) {
      const { world, ref } = await stored(value, policy)
      await world.rotate(ref, {}, world.newProcess([{ at, mode: 'before' }])).catch(() => undefined)
      world.env.time += dayMs
      const { outcome, rewrote } = await world.rotate(ref, { kind: 'resume' })
      assert.deepEqual(outcome === 'published' ? rewrote : fields, fields, `${at}`)
    }
    const { world, ref } = await stored(value, policy)
    assert.deepEqual((await world.rotate(ref, { step: 'create' })).rewrote, fields)
    assert.deepEqual((await world.rotate(ref)).rewrote, fields)
    assert.deepEqual((await world.rotate(ref, { kind: 'rollback' })).rewrote, fields)
    world.env.time += 40 * dayMs
    const started = (await world.sweep()).find(({ action }) => action === 'start')
    assert.deepEqual(started?.rewrote, fields)
    world.env.time += dayMs
    const all = await world.act((deps) => rotateFleet(deps, world.env, {}, () => {}))
    assert.deepEqual(all.rewrote, { [ref.shown]: fields })
    assert.equal((await world.rotate(ref, { at: 0 })).rewrote, undefined, 'nothing was written')
  })

  it('what a trial finds is what the rotation does, and the trial writes nothing', async () => {
    const { world, ref } = await stored(value, policy)
    const process = world.newProcess()
    const { trial } = await world.act((deps) => statusOf(deps, ref.shown), process)
    assert.deepEqual(process.effects, [])
    assert.deepEqual(await world.json(ref), value)
    assert.deepEqual([trial?.rewrites, trial?.shared], [fields, ['token', 'redis_password']])
    assert.deepEqual((await world.rotate(ref)).rewrote, trial?.rewrites)
  })

  it('a rotation that something holds is tried, too: what it would refuse then is said now', async () => {
    const held = { 'keyturn-mode': 'paused' }
    const { world, ref } = await stored(value, { ...policy, ...held })
    const found = await status(world, ref)
    assert.deepEqual([found.next.do === 'refuse' && found.next.code, found.trial?.shared], ['held', ['token', 'redis_password']])
    const other = await stored({ token: dotenv }, { ...policy, ...held })
    const { next } = await status(other.world, other.ref)
    assert.equal(next.do === 'refuse' && next.code, 'bad_value')
    await world.act(async (deps) => {
      for await (const line of plan(deps))
        assert.ok(line.rotation === 'held' && /paused.*; token, redis_password hold the same text/.test(line.why ?? ''), line.why)
    })
  })

  it('a short key in another field is named, and not changed: it may be there by chance', async () => {
    const short = 'k7Qw2Zx9Lm3Vb'
    const { world, ref } = await stored({ key: short, host: `${short}.example`, note: 1 }, { 'keyturn-rotator': 'random' })
    const { trial } = await status(world, ref)
    assert.deepEqual([trial?.rewrites, trial?.stale], [['key'], ['host']])
  })
})
