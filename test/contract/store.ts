import assert from 'node:assert/strict'
import type { Claim } from '../../shared/core/ports/store.js'
import type { SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { NamedStore, StoreHarness } from '../harness/stores.js'
import { suite } from '../harness/suite.js'

const first = new SecretText('first value')
const second = new SecretText('second value')
const third = new SecretText('third value')
const tokenOf = (turn: number): Token => `token-${turn}-0123456789-0123456789-abcdef` as Token
const leaseMs = 60_000
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected

/** What every store promises; those that a service drives get their token from it and keep no journal of ours. */
export function storeContract(named: NamedStore): void {
  suite(`store ${named.name}`, named.skip ?? false, ({ after, afterEach, beforeEach, it: test }) => {
    let world: StoreHarness
    let ref: SecretRef
    let turn = 0
    beforeEach(async () => {
      turn = 0
      world = await named.open()
      ref = await world.store.create('db', first, { 'keyturn-rotator': 'memory-a' })
    })
    afterEach(() => world.close())
    after(() => named.end?.())

    const it = (title: string, act: () => Promise<void>): void => {
      const why = named.deviations?.[title]
      if (why === undefined) test(title, act)
      else test(`not as it should be: ${title} (${why})`, () => assert.rejects(act))
    }
    /** A rotation of the platform where it drives, else one of ours, each under a token of its own. */
    const begin = async (store = () => world.store): Promise<Claim> => {
      const { drivenBy } = await store().describe(ref)
      const given = drivenBy === 'service' ? await store().startNative?.(ref) : tokenOf(++turn)
      return store().claim(await store().describe(ref), { token: given as Token, kind: 'rotate', holder: 'one', leaseMs })
    }
    const current = async () => {
      const state = await world.store.describe(ref)
      return (await world.store.read(ref, state.current?.id as VersionId)).reveal()
    }

    it('resolves a name to one key, with or without the store in front', async () => {
      assert.deepEqual(await world.store.resolve(`${world.prefix}db`), ref)
      assert.deepEqual(await world.store.resolve('db'), ref)
      assert.equal(ref.name, 'db')
      await assert.rejects(world.store.resolve('nowhere:db'), code('bad_event'))
      await assert.rejects(world.store.resolve(world.prefix === 'file:' ? 'aws:db' : 'file:db'), code('bad_event'))
    })

    it('gives values back byte for byte, up to the longest', async () => {
      const texts = ['"%\'\\ü\r\n\t\u0001 \u2028', 'ｈａｎ漢字🔑', ' ends with blanks  \n', 'x'.repeat(world.store.traits.valueBytesMax)]
      for (const [index, text] of texts.entries()) {
        const other = await world.store.create(`value-${index}`, new SecretText(text), {})
        const state = await world.store.describe(other)
        assert.ok((await world.store.read(other, state.current?.id as VersionId)).reveal() === text)
      }
    })

    it('says not_found for a secret or a version that is not there, and exists for a name that is', async () => {
      await assert.rejects(async () => world.store.describe(await world.store.resolve(`${world.prefix}absent`)), code('not_found'))
      await assert.rejects(world.store.read(ref, 'no-such-version' as VersionId), code('not_found'))
      await assert.rejects(world.store.create('db', second, {}), code('exists'))
      assert.equal(await current(), 'first value')
    })

    it('keeps current readable while a value is pending, and names token and base with it', async () => {
      const claim = await begin()
      const staged = await world.store.stage(claim, second)
      const state = await world.store.describe(ref)
      assert.equal(staged.stored, 'supplied')
      assert.equal(await current(), 'first value')
      assert.equal(state.pending?.id, staged.version)
      assert.equal(state.pending?.token, claim.token)
      assert.equal(state.pending?.base, state.current?.id)
      assert.equal((await world.store.read(ref, staged.version)).reveal(), 'second value')
    })

    it('stages the same value again as a no-op; of two values the stored one wins', async () => {
      const claim = await begin()
      const { version } = await world.store.stage(claim, second)
      assert.deepEqual(await world.store.stage(claim, second), { version, stored: 'supplied' })
      assert.deepEqual(await world.store.stage(claim, third), { version, stored: 'other' })
      assert.equal((await world.store.read(ref, version)).reveal(), 'second value')
    })

    it('publishes: pending becomes current, current becomes previous; again it changes nothing', async () => {
      const base = (await world.store.describe(ref)).current?.id
      const claim = await begin()
      const { version } = await world.store.stage(claim, second)
      world.env.time += 1000
      const info = await world.store.publish(claim, version)
      const state = await world.store.describe(ref)
      assert.equal(await current(), 'second value')
      assert.equal(state.current?.id, info.id)
      assert.equal(state.current?.ours, claim.token)
      assert.equal(state.previous?.id, base)
      if (named.ownClock) assert.ok(Math.abs(Date.now() - (state.publishedAt ?? 0)) < 60_000)
      else assert.equal(state.publishedAt, world.env.time - (named.tellsPublication ? 0 : 1000))
      assert.equal(state.pending, undefined)
      assert.deepEqual(state.loose, [])
      assert.deepEqual((await world.store.publish(claim, version)).id, info.id)
      assert.equal(await current(), 'second value')
    })

    it('publishes over nobody: a value written past us meanwhile is a conflict or a foreign write, and stays', async () => {
      if (world.writeForeign === undefined) return assert.ok(named.sealed, 'a harness without writeForeign says why')
      const claim = await begin()
      const { version } = await world.store.stage(claim, second)
      const foreign = await world.writeForeign(ref, third)
      await assert.rejects(world.store.publish(claim, version), (cause) => code('conflict')(cause) || code('foreign_write')(cause))
      assert.equal((await world.store.read(ref, foreign)).reveal(), 'third value')
      assert.equal((await world.store.describe(ref)).current?.id, foreign)
    })

    it('discards the pending value, and says whether its token may carry another one', async () => {
      const claim = await begin()
      const { version } = await world.store.stage(claim, second)
      const left = await world.store.discard(claim, version)
      assert.equal((await world.store.describe(ref)).pending, undefined)
      assert.equal(await current(), 'first value')
      if (left === 'again') assert.equal((await world.store.stage(claim, third)).stored, 'supplied')
      else await assert.rejects(world.store.stage(claim, third))
    })

    it('reads the current value of another secret from what a person wrote, in one go', async () => {
      const found = await world.store.readCurrent(`${world.prefix}db`)
      assert.deepEqual([found.ref.key, found.value.reveal()], [ref.key, 'first value'])
      await assert.rejects(world.store.readCurrent(`${world.prefix}absent`), code('not_found'))
    })

    it('no method depends on which one was called before it on the same instance', async () => {
      const base = (await world.another().describe(ref)).current?.id
      const claim = await begin(() => world.another())
      const { version, stored } = await world.another().stage(claim, second)
      assert.deepEqual([stored, await world.another().stage(claim, second)], ['supplied', { version, stored: 'supplied' }])
      assert.equal((await world.another().describe(ref)).pending?.id, version)
      const { id } = await world.another().publish(claim, version)
      assert.deepEqual((await world.another().publish(claim, version)).id, id)
      const state = await world.another().describe(ref)
      assert.deepEqual([state.current?.id, state.previous?.id, state.pending, state.loose], [id, base, undefined, []])
      world.env.time += 1000
      const next = await begin(() => world.another())
      const refused = await world.another().stage(next, third)
      await world.another().discard(next, refused.version)
      const after = await world.another().describe(ref)
      assert.deepEqual([after.current?.id, after.pending], [id, undefined])
    })

    it('never disposes of current, and makes an older version unreadable', async () => {
      const base = (await world.store.describe(ref)).current?.id as VersionId
      await assert.rejects(world.store.dispose(ref, base), code('conflict'))
      const claim = await begin()
      await world.store.publish(claim, (await world.store.stage(claim, second)).version)
      await world.store.dispose(ref, base)
      if (named.forgets) await assert.rejects(world.store.read(ref, base), code('not_found'))
      assert.equal((await world.store.describe(ref)).previous, undefined)
      assert.equal(await current(), 'second value')
    })

    it('lists secrets, not staging places; with managed only those with a policy', async () => {
      await world.store.create('plain', third, {})
      await world.store.stage(await begin(), second)
      const names = async (managed: boolean) => {
        const found: string[] = []
        for await (const state of world.store.list({ managed })) found.push(state.ref.shown)
        return found.sort()
      }
      assert.deepEqual(await names(false), [`${world.prefix}db`, `${world.prefix}plain`])
      assert.deepEqual(await names(true), [`${world.prefix}db`])
    })

    it('changes single policy keys; release takes everything of ours away and leaves the value', async () => {
      await world.store.setPolicy(ref, { 'keyturn-grace': '2h', 'keyturn-rotator': null })
      assert.deepEqual((await world.store.describe(ref)).policy, { 'keyturn-grace': '2h' })
      await world.store.release(ref)
      const state = await world.store.describe(ref)
      assert.deepEqual([state.policy, state.journal, await current()], [{}, null, 'first value'])
    })

    it('shows its history newest first', async () => {
      const claim = await begin()
      await world.store.publish(claim, (await world.store.stage(claim, second)).version)
      const values: string[] = []
      for await (const { id } of world.store.history(ref)) values.push((await world.store.read(ref, id)).reveal())
      assert.deepEqual(values, ['second value', 'first value'])
    })
  })
}
