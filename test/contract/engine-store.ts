import assert from 'node:assert/strict'
import type { Claim, ClaimWish, Retiring } from '../../shared/core/ports/store.js'
import type { CredentialId, SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { NamedStore, StoreHarness } from '../harness/stores.js'
import { suite } from '../harness/suite.js'

const second = new SecretText('second value')
const token = 'token-0123456789-0123456789-abcdef' as Token
const other = 'other-0123456789-0123456789-abcdef' as Token
const leaseMs = 60_000
const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected

/** Claims, notes and fences of the stores that our own engine drives. */
export function engineStoreContract(named: NamedStore): void {
  suite(`engine store ${named.name}`, named.skip ?? false, ({ after, afterEach, beforeEach, it }) => {
    let world: StoreHarness
    let ref: SecretRef
    beforeEach(async () => {
      world = await named.open()
      ref = await world.store.create('db', new SecretText('first value'), {})
    })
    afterEach(() => world.close())
    after(() => named.end?.())
    const claim = async (holder: string, rest: Partial<ClaimWish> = {}): Promise<Claim> =>
      world.store.claim(await world.store.describe(ref), { token, kind: 'rotate', holder, leaseMs, ...rest })

    it('is locked for another holder while the lease lives, also with the same token', async () => {
      await claim('one')
      await assert.rejects(claim('two'), code('locked'))
      await assert.rejects(claim('two', { token: other, replaces: token }), code('locked'))
      assert.equal((await claim('one')).attempt, 2)
    })

    it('lets another holder take over after the lease, and refuses the first one everything from then on', async () => {
      const old = await claim('one')
      const { version } = await world.store.stage(old, second)
      world.env.time += leaseMs + 1
      const now = await claim('two')
      assert.equal(now.attempt, 2)
      await assert.rejects(world.store.stage(old, second), code('conflict'))
      await assert.rejects(world.store.discard(old, version), code('conflict'))
      await assert.rejects(world.store.publish(old, version), code('conflict'))
      assert.equal((await world.store.describe(ref)).pending?.id, version)
      await world.store.publish(now, version)
    })

    it('gives the right back with a lease of no length', async () => {
      await claim('one')
      await claim('one', { leaseMs: 0 })
      assert.equal((await claim('two')).attempt, 3)
    })

    it('refuses a claim on a state that has changed since', async () => {
      const seen = await world.store.describe(ref)
      const mine = await claim('one')
      await world.store.publish(mine, (await world.store.stage(mine, second)).version)
      await assert.rejects(world.store.claim(seen, { token: other, kind: 'rotate', holder: 'two', leaseMs }), code('conflict'))
    })

    it('refuses another token while one is open, unless it takes its place', async () => {
      await claim('one', { leaseMs: 0 })
      await assert.rejects(claim('two', { token: other }), code('conflict'))
      assert.equal((await claim('two', { token: other, replaces: token })).attempt, 1)
    })

    it('refuses to claim or stage under a token that has published', async () => {
      const mine = await claim('one')
      await world.store.publish(mine, (await world.store.stage(mine, second)).version)
      await assert.rejects(world.store.stage(mine, new SecretText('another')), code('conflict'))
      await assert.rejects(claim('one'), code('conflict'))
    })

    it('discards the pending value, counts it, and leaves current', async () => {
      const mine = await claim('one')
      const { version } = await world.store.stage(mine, second)
      await world.store.discard(mine, version)
      const state = await world.store.describe(ref)
      assert.equal(state.pending, undefined)
      assert.deepEqual(state.loose, [])
      assert.equal(state.journal?.rotation?.refusals, 1)
      await assert.rejects(world.store.read(ref, version), code('not_found'))
      assert.equal((await world.store.stage(mine, new SecretText('another'))).stored, 'supplied')
    })

    it('notes by compare-and-set: a durable code, and announced together with the retiring entry', async () => {
      const before = await world.store.describe(ref)
      const entry: Retiring = {
        id: 'app_a' as CredentialId,
        version: before.current?.id as VersionId,
        since: 1,
        notBefore: 5,
        state: 'undeclared',
      }
      await world.store.note(before, { announced: entry.version, retiring: [entry] })
      const after = await world.store.describe(ref)
      assert.deepEqual([after.journal?.announced, after.journal?.retiring], [entry.version, [entry]])
      await assert.rejects(world.store.note(before, { code: 'stuck' }), code('conflict'))
      await world.store.note(after, { code: 'stuck' })
      const stuck = await world.store.describe(ref)
      assert.equal(stuck.journal?.code, 'stuck')
      assert.deepEqual(stuck.journal?.retiring, [entry])
      await world.store.note(stuck, { code: null })
      assert.equal((await world.store.describe(ref)).journal?.code, undefined)
    })

    it('publishes nothing that was never staged', async () => {
      const mine = await claim('one')
      await assert.rejects(world.store.publish(mine, 'no-such-version' as VersionId), code('conflict'))
      assert.equal((await world.store.describe(ref)).current?.ours, undefined)
    })
  })
}
