import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import type { Claim } from '../../shared/core/ports/store.js'
import type { SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { createGuard, createRedactor, guardStore } from '../../shared/lifecycle/guard/index.js'
import { addForeign, gcpHarness } from '../harness/gcp.js'
import { goByAlias } from '../harness/gcp-aliases.js'
import type { Call } from '../harness/gcp-secret-manager.js'

const [first, second, third] = ['first', 'second', 'third'].map((text) => new SecretText(`${text} value`)) as [
  SecretText,
  SecretText,
  SecretText,
]
const token = 'token-0123456789-0123456789-abcdef' as Token
const leaseMs = 60_000
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected

describe('a process of Google Secret Manager that others overtake', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let ref: SecretRef
  let other: (typeof world)['store']
  beforeEach(async () => {
    world = await gcpHarness('one clock')
    ref = await world.store.create('db', first, { 'keyturn-rotator': 'memory-a' })
    other = world.another()
    world.env.time += 60_000
  })
  afterEach(() => world.close())

  const secret = (name = ref.key) => world.double.secrets.get(name) ?? assert.fail(`there is no ${name}`)
  const place = () => `${ref.key}--pending`
  const claim = async (store = world.store, holder = 'one'): Promise<Claim> =>
    store.claim(await store.describe(ref), { token, kind: 'rotate', holder, leaseMs })
  const successor = async () => claim(other, 'two')
  const kept = () => secret(place()).versions.filter(({ state }) => state === 'ENABLED').length
  /** Something happens once, right before the first call of this kind is carried out. */
  const before = (isIt: (call: Call) => boolean, happens: () => unknown): void => {
    let isDone = false
    world.double.fault = (call) => {
      if (isDone || !isIt(call)) return undefined
      isDone = true
      const under = happens()
      return under instanceof Promise ? { delayed: under } : undefined
    }
  }

  for (const mode of ['also by the newest version', 'by the alias alone'])
    it(`repeats no move of the aliases after its lease (consumers read ${mode})`, async () => {
      if (mode === 'by the alias alone') goByAlias(world.double, ref)
      const aliases = Object.fromEntries(secret().aliases)
      const claimed = await claim()
      const { version } = await world.store.stage(claimed, second)
      before(
        ({ name, staging }) => name === 'UpdateSecret' && !staging,
        () => {
          world.env.time += leaseMs
          const change = { name: ref.key, labels: { team: 'theirs' } }
          world.double.do('UpdateSecret', { secret: change, updateMask: { paths: ['labels'] } })
        },
      )
      await assert.rejects(world.store.publish(claimed, version), code('conflict'))
      assert.deepEqual(Object.fromEntries(secret().aliases), aliases)
      await other.publish(await successor(), version)
      assert.deepEqual(Object.fromEntries(secret().aliases), { current: 2, previous: 1 })
      assert.equal(secret().versions.length, 2)
    })

  it('moves no alias while its lease is almost over: the update would have no time', async () => {
    const claimed = await claim()
    const { version } = await world.store.stage(claimed, second)
    before(
      ({ name, staging }) => name === 'AddSecretVersion' && !staging,
      () => {
        world.env.time = claimed.leaseUntil - 5000
      },
    )
    await assert.rejects(world.store.publish(claimed, version), code('conflict'))
    assert.deepEqual([secret().versions.length, secret().aliases.size], [2, 0])
  })

  it('keeps nothing after its lease: no copy is left in the staging place', async () => {
    const claimed = await claim()
    world.env.time += leaseMs + 1
    const theirs = await successor()
    const { version } = await other.stage(theirs, third)
    await other.publish(theirs, version)
    await assert.rejects(world.store.stage(claimed, second), code('conflict'))
    assert.equal(secret(place()).versions.length, 1)
    assert.deepEqual((await other.describe(ref)).loose, [])
  })

  it('notes no publication that is noted already: what was found since then stays', async () => {
    const claimed = await claim()
    const { version } = await world.store.stage(claimed, second)
    const isNote = ({ name, staging, request }: Call) => name === 'UpdateSecret' && staging && JSON.stringify(request).includes('published')
    before(isNote, async () => {
      world.env.time += leaseMs * 2
      await other.publish(await successor(), version)
      addForeign(world.double, ref, third)
      await other.note(await other.describe(ref), { code: 'stuck' })
    })
    assert.equal((await world.store.publish(claimed, version)).id, '2')
    const { journal } = await other.describe(ref)
    assert.deepEqual([journal?.code, journal?.rotation?.published], ['stuck', '2'])
  })

  it('releases no secret that was claimed after it looked: the staging place and the policy stay', async () => {
    let places = 0
    before(
      ({ name, staging }) => name === 'GetSecret' && staging && ++places === 2,
      async () => other.stage(await successor(), second),
    )
    await assert.rejects(world.store.release(ref), code('conflict'))
    assert.equal(kept(), 1)
    assert.equal(secret().annotations.get('keyturn-rotator'), 'memory-a')
    await assert.rejects(world.store.release(ref), code('held'))
  })

  it('names what it has kept where the first note of it failed, and keeps no second copy', async () => {
    const { env } = world
    const guard = createGuard({ env, audit: { write: async () => {} }, redactor: createRedactor(), holder: 'one' })
    const store = guardStore(world.store, guard)
    const claimed = await claim()
    let isRefused = false
    world.double.fault = ({ name, staging }) => {
      if (name !== 'UpdateSecret' || !staging || isRefused) return undefined
      isRefused = true
      return { code: status.RESOURCE_EXHAUSTED }
    }
    const { version } = await store.stage(claimed, second)
    assert.ok(isRefused)
    assert.deepEqual([version, secret(place()).versions.length], ['pending-1', 1])
    await store.discard(claimed, version)
    assert.deepEqual(await store.stage(claimed, third), { version: 'pending-2', stored: 'supplied' })
    await store.publish(claimed, 'pending-2' as typeof version)
    assert.equal(kept(), 0)
  })
})
