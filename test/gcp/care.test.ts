import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import type { Claim } from '../../shared/core/ports/store.js'
import type { SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { createGuard, createRedactor, guardStore } from '../../shared/lifecycle/guard/index.js'
import { gcpHarness } from '../harness/gcp.js'
import type { Fault } from '../harness/gcp-secret-manager.js'

const first = new SecretText('first value')
const second = new SecretText('second value')
let turn = 0
/** Each of another rotation. */
const wish = () =>
  ({ token: `token-${++turn}-0123456789-0123456789-abcdef` as Token, kind: 'rotate', holder: 'one', leaseMs: 60_000 }) as const
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected

describe('care for what is in Google Secret Manager', () => {
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let ref: SecretRef
  beforeEach(async () => {
    world = await gcpHarness('one clock')
    ref = await world.store.create('db', first, { 'keyturn-rotator': 'memory-a' })
    world.env.time += 60_000
  })
  afterEach(() => world.close())
  const secret = (name = ref.key) => world.double.secrets.get(name) ?? assert.fail(`there is no ${name}`)
  const place = () => secret(`${ref.key}--pending`)
  const claim = async (): Promise<Claim> => world.store.claim(await world.store.describe(ref), wish())
  const rotate = async (value = second): Promise<void> => {
    const claimed = await claim()
    await world.store.publish(claimed, (await world.store.stage(claimed, value)).version)
  }
  const annotate = (name: string, bytes: number): void => void secret(name).annotations.set('team', 'x'.repeat(bytes - 'team'.length))
  const bytesIn = (name: string): number =>
    [...secret(name).annotations].reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)

  describe('a payload', () => {
    it('that comes with a wrong checksum is not taken, wherever it is read: published, newest or staged', async () => {
      const claimed = await claim()
      const { version } = await world.store.stage(claimed, second)
      const spoil = (by: number) => {
        for (const { versions } of [secret(), place()]) for (const one of versions) Object.assign(one, { crc32c: one.crc32c + by })
      }
      spoil(1)
      await assert.rejects(world.store.read(ref, '1' as VersionId), code('unavailable'))
      await assert.rejects(world.store.readCurrent('db'), code('unavailable'))
      await assert.rejects(world.store.publish(claimed, version), code('unavailable'))
      assert.equal(secret().versions.length, 1)
      spoil(-1)
      assert.equal((await world.store.publish(claimed, version)).id, '2')
    })

    it('may have 65,024 bytes, with its header in the staging place, too', async () => {
      const largest = new SecretText('x'.repeat(65_024))
      await rotate(largest)
      assert.ok((await world.store.read(ref, '2' as VersionId)).equals(largest))
    })
  })

  describe('what others keep there', () => {
    it('stays on the secret through retirement, and on the staging place through every write', async () => {
      const theirs = { labels: { team: 'a' }, annotations: { note: ' "%\'\\ü ' } }
      for (const one of [secret(), place()]) {
        for (const [key, value] of Object.entries(theirs.labels)) one.labels.set(key, value)
        for (const [key, value] of Object.entries(theirs.annotations)) one.annotations.set(key, value)
      }
      secret().aliases.set('blue', 1)
      await rotate()
      const claimed = await claim()
      await world.store.discard(claimed, (await world.store.stage(claimed, new SecretText('third value'))).version)
      secret().aliases.delete('blue')
      secret().aliases.set('green', 2)
      await world.store.dispose(ref, '1' as VersionId)
      for (const one of [secret(), place()]) {
        assert.equal(one.labels.get('team'), 'a')
        assert.equal(one.annotations.get('note'), theirs.annotations.note)
      }
      assert.deepEqual(Object.fromEntries(secret().aliases), { current: 2, green: 2 })
    })

    for (const alias of ['blue', 'current'])
      it(`a version that the alias ${alias} still names is never disabled or destroyed`, async () => {
        await rotate()
        secret().destroyTtlMs = 86_400_000
        secret().aliases.set(alias, 1)
        await world.store.dispose(ref, '1' as VersionId)
        assert.deepEqual([secret().versions[0]?.state, secret().versions[0]?.destroyAt], ['ENABLED', undefined])
        assert.equal(secret().aliases.get(alias), 1)
      })

    it('a version that is destroyed later can be had back until then, and is gone afterwards', async () => {
      await rotate()
      secret().destroyTtlMs = 86_400_000
      await world.store.dispose(ref, '1' as VersionId)
      world.double.do('EnableSecretVersion', { name: `${ref.key}/versions/1` })
      assert.ok((await world.store.read(ref, '1' as VersionId)).equals(first))
      await world.store.dispose(ref, '1' as VersionId)
      world.env.time += 86_400_001
      await assert.rejects(world.store.read(ref, '1' as VersionId), code('not_found'))
      assert.equal(secret().versions[0]?.state, 'DESTROYED')
    })
  })

  describe('all annotations of one secret', () => {
    it('have fewer than 16 KiB: a policy beside too many others is refused by name, and nothing is made or changed', async () => {
      world.double.do('CreateSecret', { parent: 'projects/p', secretId: 'old', secret: { replication: { automatic: {} } } })
      const old = await world.store.resolve('old')
      annotate(old.key, 16_300)
      const policy = (length: number) => ({ 'keyturn-at': 'x'.repeat(length), 'keyturn-every': '30d' })
      const before = JSON.stringify([...world.double.secrets.values()])
      await assert.rejects(world.store.setPolicy(old, policy(58)), (cause: Error & { field?: string; next?: string }) => {
        assert.deepEqual(
          [code('too_large')(cause), cause.field, cause.message, cause.next],
          [
            true,
            'keyturn-at',
            'With keyturn-at the annotations of gcp:projects/p/secrets/old would have 16384 bytes; the service takes 16383. 16300 of them are there already.',
            'Shorten keyturn-at, or remove annotations that nobody needs.',
          ],
        )
        return true
      })
      assert.equal(JSON.stringify([...world.double.secrets.values()]), before)
      await world.store.setPolicy(old, policy(57))
      assert.equal(bytesIn(old.key), 16_383)
      await world.store.setPolicy(old, { 'keyturn-at': null })
    })

    it('a new secret with too long a policy is refused before it is made', async () => {
      const policy = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`keyturn-${n}`, 'x'.repeat(256)]))
      await assert.rejects(world.store.create('new', first, policy), code('too_large'))
      assert.equal(world.double.secrets.has('projects/123456789012/secrets/new'), false)
    })

    it('leave room for a whole rotation, or it is not begun: it never ends for want of room between its steps', async () => {
      const ends = new Set<string>()
      for (let bytes = 14_500; bytes < 16_383; bytes += 61) {
        annotate(place().name, bytes)
        const state = await world.store.describe(ref)
        const claimed = await world.store.claim(state, wish()).catch((cause: unknown) => {
          if (!code('too_large')(cause)) throw cause
          return undefined
        })
        ends.add(claimed === undefined ? 'refused' : 'claimed')
        if (claimed === undefined) {
          assert.deepEqual(await world.store.describe(ref), state)
          continue
        }
        await world.store.discard(claimed, (await world.store.stage(claimed, first)).version)
        await world.store.publish(claimed, (await world.store.stage(claimed, new SecretText(`value ${bytes}`))).version)
        assert.ok(bytesIn(place().name) < 16_384)
      }
      assert.deepEqual([...ends], ['claimed', 'refused'])
    })

    it('a note leaves the room of the next claim, and says what the others take', async () => {
      const seen = (count: number) =>
        Object.fromEntries(
          Array.from({ length: count }, (_, n) => [`c${n}`, { version: '1' as VersionId, phase: 'drained', at: 1 } as const]),
        )
      annotate(place().name, 12_000)
      let state = await world.store.describe(ref)
      let count = 1
      const refused = async (): Promise<Error | undefined> => {
        try {
          await world.store.note(state, { seen: seen(count) })
          state = await world.store.describe(ref)
          return undefined
        } catch (cause) {
          return cause instanceof Error && code('too_large')(cause) ? cause : assert.fail(String(cause))
        }
      }
      let end = await refused()
      for (; end === undefined; count += 2) end = await refused()
      assert.match(end.message, /beside 12000 of other annotations of the staging place\.$/)
      await world.store.claim(state, wish())
    })
  })

  describe('a service that asks for fewer calls, or is not there', () => {
    for (const [name, fault] of [
      ['RESOURCE_EXHAUSTED', 'throttle'],
      ['UNAVAILABLE', 'unavailable'],
    ] as const satisfies readonly (readonly [string, Fault])[])
      it(`${name} is asked again after waits that grow and are not the same for two processes`, async () => {
        const waits = async (seed: number): Promise<readonly number[]> => {
          const found: number[] = []
          const sleep = async (ms: number) => {
            found.push(ms)
            world.env.time += ms
          }
          const env = {
            ...world.env,
            now: world.env.now,
            log: world.env.log,
            cancelled: world.env.cancelled,
            sleep,
            random: (n: number) => new Uint8Array(n).fill(seed),
          }
          const guard = createGuard({ env, audit: { write: async () => {} }, redactor: createRedactor(), holder: 'one' })
          let left = 3
          world.double.fault = () => (left-- > 0 ? fault : undefined)
          assert.equal((await guardStore(world.another(), guard).resolve('db')).key, ref.key)
          return found
        }
        const [low, high] = [await waits(0), await waits(255)]
        assert.deepEqual(low, [100, 200, 400])
        assert.ok(
          high.every((ms, index) => ms > (low[index] ?? 0) * 1.9 && ms <= (low[index] ?? 0) * 2),
          String(high),
        )
      })

    it('FAILED_PRECONDITION without a text that anybody knows is what the call makes of it', async () => {
      const refuse = (wanted: string) => {
        world.double.fault = ({ name }) => (name === wanted ? { code: status.FAILED_PRECONDITION, message: 'Something new.' } : undefined)
      }
      const codeOf = (act: Promise<unknown>) =>
        act.then(
          () => 'done',
          (cause: unknown) => world.store.classify(cause),
        )
      refuse('AccessSecretVersion')
      assert.equal(await codeOf(world.store.readCurrent('db')), 'damaged')
      refuse('UpdateSecret')
      assert.equal(await codeOf(world.store.setPolicy(ref, { 'keyturn-grace': '2h' })), 'conflict')
      assert.equal(await codeOf(claim()), 'conflict')
    })
  })
})
