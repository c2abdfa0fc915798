import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import type { Claim, VersionInfo } from '../../shared/core/ports/store.js'
import type { SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { addForeign, gcpHarness } from '../harness/gcp.js'

const first = new SecretText('first value')
const second = new SecretText('second value')
const third = new SecretText('third value')
const tokenOf = (turn: number): Token => `token-${turn}-0123456789-0123456789-abcdef` as Token
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected
const leaseMs = 60_000

describe('the store of Google Secret Manager', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let ref: SecretRef
  let turn = 0
  beforeEach(async () => {
    world = await gcpHarness('one clock')
    world.double.throttles = true
    world.double.pageSize = 2
    turn = 0
    ref = await world.store.create('db', first, { 'keyturn-rotator': 'memory-a' })
    world.env.time += 60_000
  })
  afterEach(() => world.close())

  const place = () => `${ref.key}--pending`
  const secret = (name = ref.key) => world.double.secrets.get(name) ?? assert.fail(`there is no ${name}`)
  const claim = async (): Promise<Claim> =>
    world.store.claim(await world.store.describe(ref), { token: tokenOf(++turn), kind: 'rotate', holder: 'one', leaseMs })
  const staged = async (value = second) => {
    const claimed = await claim()
    return { claimed, ...(await world.store.stage(claimed, value)) }
  }
  const publish = async (value = second): Promise<VersionInfo> => {
    const { claimed, version } = await staged(value)
    return world.store.publish(claimed, version)
  }
  /** The values that consumers can read, oldest first. */
  const values = (name = ref.key) =>
    secret(name).versions.map(({ data, state }) => `${state === 'ENABLED' ? '' : 'not '}${Buffer.from(data ?? '')}`)

  describe('a rotation', () => {
    it('writes the consumer secret twice: the version, and both aliases in one update', async () => {
      world.double.calls.length = 0
      const { id } = await publish()
      assert.equal(id, '2')
      assert.deepEqual(
        world.double.calls.filter(({ writes, staging }) => writes && !staging).map(({ name }) => name),
        ['AddSecretVersion', 'UpdateSecret'],
      )
      assert.equal(world.double.writes('staging'), 6)
      assert.deepEqual(Object.fromEntries(secret().aliases), { current: 2, previous: 1 })
    })

    it('writes each of the two secrets at most once in half a second', async () => {
      world.double.calls.length = 0
      await publish()
      for (const name of [ref.key, place()]) {
        const at = world.double.calls.filter((call) => call.secret === name && /^(Add|Update)/.test(call.name)).map((call) => call.at)
        assert.ok(at.length > 1)
        for (const [index, time] of at.slice(1).entries()) assert.ok(time - (at[index] ?? 0) >= 500)
      }
    })

    it('keeps the pending value where no reader of the secret can see it, with its token and base in one line before it', async () => {
      const { claimed } = await staged()
      assert.deepEqual(values(), ['first value'])
      const [header, ...rest] = (values(place())[0] ?? '').split('\n')
      assert.deepEqual(JSON.parse(header ?? ''), { token: claimed.token, base: '1', kind: 'rotate' })
      assert.deepEqual(rest, ['second value'])
      assert.deepEqual(Object.fromEntries(secret(place()).labels), { 'keyturn-role': 'staging' })
    })

    it('leaves the journal, and nothing of a value, in the annotations', async () => {
      await publish()
      const text = JSON.stringify([[...secret(place()).annotations], [...secret().annotations]])
      assert.match(text, /keyturn-state/)
      assert.doesNotMatch(text, /value/)
    })

    it('sends a checksum with every payload', async () => {
      await publish()
      assert.ok([...secret().versions, ...secret(place()).versions].every(({ clientChecksum }) => clientChecksum))
    })

    it('ends the deadline of the add before the lease does', async () => {
      const { claimed, version } = await staged()
      world.env.time = claimed.leaseUntil - 9_000
      await assert.rejects(world.store.publish(claimed, version), code('conflict'))
      assert.deepEqual(values(), ['first value'])
    })
  })

  describe('a lost answer', () => {
    for (const fault of ['lost', 'late'] as const) {
      it(`to the add is settled by number and payload, and the value is added once (${fault})`, async () => {
        const { claimed, version } = await staged()
        world.double.fault = ({ name, staging }) => (name === 'AddSecretVersion' && !staging ? fault : undefined)
        assert.equal((await world.store.publish(claimed, version)).id, '2')
        assert.deepEqual(values(), ['first value', 'second value'])
      })
    }

    it('of an add that was not carried out is ambiguous, and the next attempt adds', async () => {
      const { claimed, version } = await staged()
      world.double.fault = ({ name, staging }) => (name === 'AddSecretVersion' && !staging ? 'cut' : undefined)
      await assert.rejects(world.store.publish(claimed, version), code('ambiguous'))
      world.double.fault = () => undefined
      assert.equal((await world.store.publish(claimed, version)).id, '2')
    })

    it('to the add that was carried out twice is one publication, and the older version is current', async () => {
      await publish()
      world.env.time += 1000
      addForeign(world.double, ref, second)
      const { current } = await world.store.describe(ref)
      assert.deepEqual([current?.id, current?.ours], ['2', tokenOf(1)])
    })

    it('to the keeping of a value is ambiguous; the next attempt finds it and keeps it once', async () => {
      const claimed = await claim()
      world.double.fault = ({ name }) => (name === 'AddSecretVersion' ? 'lost' : undefined)
      await assert.rejects(world.store.stage(claimed, second), (cause) => world.store.classify(cause) === 'ambiguous')
      world.double.fault = () => undefined
      world.env.time += leaseMs + 1
      turn--
      const again = await claim()
      assert.deepEqual(await world.store.stage(again, third), { version: 'pending-1', stored: 'other' })
    })

    it('to the move of the aliases leaves a publication that the next attempt finishes', async () => {
      const { claimed, version } = await staged()
      world.double.fault = ({ name, staging }) => (name === 'UpdateSecret' && !staging ? 'cut' : undefined)
      await assert.rejects(world.store.publish(claimed, version), (cause) => world.store.classify(cause) === 'unavailable')
      world.double.fault = () => undefined
      await world.store.publish(claimed, version)
      assert.deepEqual(values(), ['first value', 'second value'])
      assert.deepEqual(Object.fromEntries(secret().aliases), { current: 2, previous: 1 })
    })
  })

  describe('somebody else', () => {
    it('keeps labels, annotations and aliases, byte for byte', async () => {
      const others = { note: ' "%\'\\ü ', 'example.com_owner': 'x' }
      const change = {
        name: ref.key,
        labels: { team: 'a' },
        annotations: { ...others, 'keyturn-rotator': 'memory-a' },
        versionAliases: { pinned: 1 },
      }
      world.double.do('UpdateSecret', { secret: change, updateMask: { paths: ['labels', 'annotations', 'version_aliases'] } })
      world.env.time += 1000
      await publish()
      await world.store.setPolicy(ref, { 'keyturn-grace': '2h' })
      await world.store.release(ref)
      assert.deepEqual(Object.fromEntries(secret().labels), { team: 'a' })
      assert.deepEqual(Object.fromEntries(secret().annotations), others)
      assert.equal(secret().aliases.get('pinned'), 1)
    })

    it('who changes the secret between our look and our update loses nothing: conflict', async () => {
      world.double.fault = ({ name, staging }) => {
        if (name !== 'UpdateSecret' || staging) return undefined
        world.double.fault = () => undefined
        secret().etag = '"changed"'
        secret().labels.set('team', 'a')
        return undefined
      }
      await assert.rejects(world.store.setPolicy(ref, { 'keyturn-grace': '2h' }), (cause) => world.store.classify(cause) === 'conflict')
      assert.equal(secret().labels.get('team'), 'a')
    })

    it('who claims at the same moment wins or loses as a whole', async () => {
      const state = await world.store.describe(ref)
      const wish = { kind: 'rotate', leaseMs } as const
      const both = await Promise.allSettled(
        ['one', 'two'].map((holder) => world.another().claim(state, { ...wish, token: tokenOf(1), holder })),
      )
      assert.equal(both.filter((one) => one.status === 'fulfilled').length, 1)
    })

    it('who wrote first is not published over; the rotation is closed and current unproven', async () => {
      const { claimed, version } = await staged()
      const foreign = addForeign(world.double, ref, third)
      await assert.rejects(world.store.publish(claimed, version), code('foreign_write'))
      const { journal, current } = await world.store.describe(ref)
      assert.deepEqual([journal?.rotation, journal?.unproven, current?.id], [undefined, foreign, foreign])
      assert.equal(secret().aliases.size, 0)
    })

    it('who wrote right after our add is seen; aliases do not move', async () => {
      const { claimed, version } = await staged()
      world.double.fault = ({ name, staging, request }) => {
        if (name === 'AccessSecretVersion' && !staging && /versions\/3$/.test((request as { name: string }).name)) {
          world.double.fault = () => undefined
          addForeign(world.double, ref, third)
        }
        return undefined
      }
      await assert.rejects(world.store.publish(claimed, version), code('foreign_write'))
      assert.deepEqual(values(), ['first value', 'second value', 'third value'])
      assert.equal(secret().aliases.size, 0)
      const { journal } = await world.store.describe(ref)
      assert.deepEqual([journal?.rotation?.published, journal?.unproven], ['2', '3'])
    })
  })

  describe('a read that is behind', () => {
    it('does not hide what was added: newest + 1 is asked by number', async () => {
      await publish()
      world.double.fault = ({ name, staging }) => (name === 'ListSecretVersions' && !staging ? 'stale' : undefined)
      const { current, previous } = await world.store.describe(ref)
      assert.deepEqual([current?.id, previous?.id], ['2', '1'])
    })

    it('of the staging place costs a claim, and nothing else', async () => {
      await publish()
      world.double.fault = ({ name, staging }) => (name === 'GetSecret' && staging ? { staleWrites: 3 } : undefined)
      const state = await world.store.describe(ref)
      await assert.rejects(
        world.store.claim(state, { token: tokenOf(9), kind: 'rotate', holder: 'one', leaseMs }),
        (cause) => world.store.classify(cause) === 'conflict',
      )
    })
  })

  describe('retirement', () => {
    it('disables a version, takes our alias of it away, and leaves no disabled copy behind', async () => {
      await publish()
      world.env.time += 1000
      await world.store.dispose(ref, '1' as VersionId)
      assert.deepEqual([secret().versions[0]?.state, Object.fromEntries(secret().aliases)], ['DISABLED', { current: 2 }])
      assert.deepEqual(
        secret(place()).versions.map(({ state }) => state),
        ['DESTROYED'],
      )
    })

    it('destroys it where the secret delays destruction, so that it can be had back', async () => {
      secret().destroyTtlMs = 86_400_000
      await publish()
      await world.store.dispose(ref, '1' as VersionId)
      assert.deepEqual([secret().versions[0]?.state, typeof secret().versions[0]?.destroyAt], ['DISABLED', 'number'])
    })

    it('leaves a version that an alias of somebody else names, and says so', async () => {
      secret().aliases.set('pinned', 1)
      await publish()
      await world.store.dispose(ref, '1' as VersionId)
      assert.equal(secret().versions[0]?.state, 'ENABLED')
      assert.deepEqual(
        world.env.lines.map((line) => line.code),
        ['version_kept'],
      )
    })

    it('may come twice, at the same moment too', async () => {
      await publish()
      world.double.throttles = false
      const both = await Promise.allSettled([1, 2].map(() => world.another().dispose(ref, '1' as VersionId)))
      for (const one of both) if (one.status === 'rejected') assert.equal(world.store.classify(one.reason), 'conflict') // decided again
      await world.store.dispose(ref, '1' as VersionId)
      await world.store.dispose(ref, '1' as VersionId)
      assert.deepEqual(values(), ['not first value', 'second value'])
    })
  })

  describe('what it refuses', () => {
    it('a value without UTF-8, an empty one and a long one, before anything is sent', async () => {
      const claimed = await claim()
      world.double.calls.length = 0
      await assert.rejects(world.store.stage(claimed, new SecretText('\ud800')), code('bad_value'))
      await assert.rejects(world.store.stage(claimed, new SecretText('')), code('bad_value'))
      await assert.rejects(world.store.stage(claimed, new SecretText('x'.repeat(65_025))), code('too_large'))
      await assert.rejects(world.store.create('long', new SecretText('x'.repeat(65_025)), {}), code('too_large'))
      assert.equal(world.double.count(), 0)
    })

    it('a binary value, which it still counts as current', async () => {
      world.double.do('AddSecretVersion', { parent: ref.key, payload: { data: Buffer.from([0xff, 0xfe]) } })
      const { current } = await world.store.describe(ref)
      assert.equal(current?.id, '2')
      await assert.rejects(world.store.read(ref, '2' as VersionId), code('bad_value'))
      await assert.rejects(world.store.readCurrent(ref.shown), code('bad_value'))
    })

    it('a journal that was edited, and a staged value that is not ours: damaged, and both stay', async () => {
      addForeign(world.double, { ...ref, key: place() }, third)
      await assert.rejects(world.store.describe(ref), code('damaged'))
      secret(place()).annotations.set('keyturn-state', '{"retiring":7}')
      await assert.rejects(world.store.describe(ref), code('damaged'))
      assert.deepEqual([values(place()), secret(place()).annotations.get('keyturn-state')], [['third value'], '{"retiring":7}'])
    })

    it('a journal that has no room; what only people read goes first', async () => {
      const state = await world.store.describe(ref)
      const seen = (count: number, evidence: string) =>
        Object.fromEntries(
          Array.from({ length: count }, (_, n) => [
            `consumer-${n}`,
            { version: '1' as VersionId, phase: 'drained', at: 1, evidence } as const,
          ]),
        )
      await world.store.note(state, { seen: seen(20, 'x'.repeat(500)) })
      const after = await world.store.describe(ref)
      assert.deepEqual(after.journal?.seen?.['consumer-3'], { version: '1', phase: 'drained', at: 1 })
      await assert.rejects(world.store.note(after, { seen: seen(300, '') }), code('too_large'))
    })

    it('a name whose staging place would have no name', async () => {
      await assert.rejects(world.store.create('x'.repeat(247), first, {}), code('bad_event'))
    })

    it('a staging place as a secret, and a secret of somebody else as a staging place', async () => {
      await assert.rejects(world.store.resolve('gcp:db--pending'), code('bad_event'))
      secret(place()).labels.clear()
      await assert.rejects(world.store.setPolicy(ref, { 'keyturn-grace': '2h' }), code('exists'))
    })

    it('without a right, and says which on which of the two secrets', async () => {
      world.double.mayNot = (permission, resource) => permission.endsWith('secrets.get') && resource.endsWith('--pending')
      await assert.rejects(
        world.store.describe(ref),
        (cause: Error) => code('denied')(cause) && /secrets\.get is denied on gcp:.*db--pending/.test(cause.message),
      )
    })

    it('nothing when the service asks for fewer calls: throttled, for the guard', async () => {
      world.double.fault = () => 'throttle'
      await assert.rejects(world.store.resolve('db'), (cause) => world.store.classify(cause) === 'throttled')
      world.double.fault = () => ({ code: status.UNAVAILABLE })
      await assert.rejects(world.store.resolve('db'), (cause) => world.store.classify(cause) === 'unavailable')
      assert.equal(world.double.count('GetSecret') > 0, true)
    })
  })
})
