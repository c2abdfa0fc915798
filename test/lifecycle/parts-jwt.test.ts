import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { dayMs, SelfIssuedWorld } from '../harness/self-issued-world.js'

interface Value {
  readonly note: string
  readonly key: string
  readonly signing: {
    readonly current?: { readonly kid: string }
    readonly next?: { readonly kid: string }
    readonly previous?: { readonly kid: string }
  }
}
const isHeld = (cause: unknown) => codeOf(cause) === 'held' && /signing: the next key may not sign before/.test(String(cause))

describe('signing keys as one part beside other keys', () => {
  const open = async (more = {}) => {
    const world = new SelfIssuedWorld('parts-jwt')
    world.companions({ jwks: { content: 'public-set', at: 'path:/jwks', order: 'before' } })
    const policy = {
      'keyturn-parts': 'key=random signing=jwt',
      'keyturn-signing-algorithm': 'EdDSA',
      'keyturn-companions': 'jwks',
      ...more,
    }
    const ref = await world.create('both', { note: 'stays', key: 'first-key-0123456789', signing: {} }, policy)
    return { world, ref }
  }
  const read = (world: SelfIssuedWorld, ref: SecretRef) => world.json<Value>(ref)
  const set = (world: SelfIssuedWorld): readonly string[] =>
    (JSON.parse(world.files.get('path:/jwks') ?? '{"keys":[]}') as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
  const kids = ({ signing: { current, next, previous } }: Value) => [current, next, previous].flatMap((key) => key?.kid ?? [])

  it('all of them, or one alone: keys move on by one, the public set has them before, and it is held by what it is asked for', async () => {
    const { world, ref } = await open()
    await world.rotate(ref)
    const first = await read(world, ref)
    assert.deepEqual(set(world), kids(first))
    assert.ok(first.key !== 'first-key-0123456789' && first.note === 'stays')
    world.env.time += dayMs / 48
    await assert.rejects(world.rotate(ref), isHeld)
    await assert.rejects(world.rotate(ref, { part: 'signing' }), isHeld)
    const { next } = await statusOf(world.deps('one'), ref.shown)
    assert.ok(next.do === 'refuse' && /signing: the next key/.test(next.why))
    await world.rotate(ref, { part: 'key' })
    const second = await read(world, ref)
    assert.deepEqual([kids(second), second.key === first.key], [kids(first), false])
    world.env.time += dayMs
    await world.rotate(ref, { part: 'signing' })
    const third = await read(world, ref)
    assert.deepEqual([third.signing.current?.kid, third.signing.previous?.kid], [first.signing.next?.kid, first.signing.current?.kid])
    assert.equal(third.key, second.key)
    assert.deepEqual(set(world), kids(third))
    assert.deepEqual(
      (await world.state(ref)).journal?.retiring.filter(({ id }) => id.startsWith('signing')),
      [],
    )
  })

  it('an emergency of the other part leaves the signing keys; one of them changes both', async () => {
    const { world, ref } = await open()
    await world.rotate(ref)
    const first = await read(world, ref)
    await world.rotate(ref, { kind: 'emergency', part: 'key' })
    const second = await read(world, ref)
    assert.deepEqual([kids(second), second.key === first.key], [kids(first), false])
    await world.rotate(ref, { kind: 'emergency', part: 'signing' })
    const third = await read(world, ref)
    assert.equal(third.key, second.key)
    assert.ok(kids(third).every((kid) => !kids(first).includes(kid)))
    assert.deepEqual(set(world), kids(third))
  })

  it('each by its own schedule; no key signs before it was public for long enough', async () => {
    const { world, ref } = await open({ 'keyturn-key-every': '10d', 'keyturn-signing-every': '40d' })
    const counts = { key: 0, signing: 0 }
    let before = await read(world, ref)
    for (let step = 0; step < 400; step++) {
      world.env.time += dayMs / 2
      await world.sweep()
      const now = await read(world, ref)
      if (now.key !== before.key) counts.key++
      if (now.signing.current?.kid !== before.signing.current?.kid) {
        counts.signing++
        if (before.signing.current) assert.equal(now.signing.current?.kid, before.signing.next?.kid)
      }
      before = now
    }
    assert.ok(counts.key >= 18 && counts.key <= 21 && counts.signing >= 4 && counts.signing <= 6, JSON.stringify(counts))
  })

  it('a schedule that is faster than verifiers is refused, whether it is the part’s or the secret’s', async () => {
    for (const [every, key] of [
      [{ 'keyturn-every': '61m' }, 'keyturn-every'],
      [{ 'keyturn-signing-every': '61m', 'keyturn-every': '30d' }, 'keyturn-signing-every'],
    ] as const)
      await assert.rejects(open(every), (cause) => {
        const { field, message } = cause as { field?: string; message: string }
        return codeOf(cause) === 'bad_policy' && field === key && message.includes(`${key} is 1h 1m, but a key must be published`)
      })
  })

  it('goes back to what verifiers know, and not to what an emergency left', async () => {
    const { world, ref } = await open()
    await world.rotate(ref)
    world.env.time += 2 * dayMs
    await world.rotate(ref)
    world.env.time += dayMs / 48
    await world.rotate(ref, { kind: 'emergency' })
    await assert.rejects(world.rotate(ref, { kind: 'rollback' }), (cause) => codeOf(cause) === 'bad_event')
  })
})
