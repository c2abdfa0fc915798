import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { seeLogin } from '../../shared/core/login-seen.js'
import { proofOf } from '../../shared/core/proof.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { NamedRotator, RotatorHarness } from '../harness/rotators.js'

const code = (expected: string) => (cause: unknown) => (cause as { code?: string }).code === expected

/** What every rotator promises. The tests of one rotator run in their order, on one target. */
export function rotatorContract(named: NamedRotator): void {
  describe(`rotator ${named.name}`, { skip: named.skip }, () => {
    let harness: RotatorHarness
    let current: unknown
    let pending: unknown
    before(async () => {
      harness = await named.open()
      current = harness.rotator.parse(harness.current, harness.policy)
    })
    after(() => harness?.close())
    const make = async () => {
      const { rotator } = harness
      const context = harness.context(current)
      const next = rotator.issuer ? await rotator.issuer.mint(context) : await rotator.propose(context)
      return rotator.parse(rotator.render(harness.current, next), harness.policy)
    }

    /** By one login; where no password can be tried, as the target has it. */
    const accepted = async (value: unknown, after: unknown): Promise<boolean> => {
      const { rotator, policy, holds } = harness
      if (proofOf(rotator, policy) === 'login') return rotator.accepted(harness.context(after), value)
      return holds?.(rotator.render(harness.current, value)) ?? assert.fail('nothing tells what the target has')
    }

    it('names the field that is missing or mistyped', () => {
      const { password: _, ...without } = JSON.parse(harness.current.reveal()) as Record<string, unknown>
      for (const value of [without, { ...without, password: 7 }]) {
        assert.throws(
          () => harness.rotator.parse(new SecretText(JSON.stringify(value)), harness.policy),
          (cause) => code('bad_value')(cause) && (cause as { field?: string }).field === 'password',
        )
      }
      assert.throws(
        () => harness.rotator.parse(new SecretText('{"password": "Canary1234'), harness.policy),
        (cause) => code('bad_value')(cause) && !inspect(cause).includes('Canary'),
      )
    })

    it('describes its policy keys, with defaults that keep their own rule', () => {
      for (const key of harness.rotator.about.policy) {
        assert.ok(key.help.length > 10)
        if (key.default !== undefined) assert.equal(key.check(key.default), undefined)
      }
    })

    it('says what a rotation will do without a text of the value', () => {
      const { outlook } = harness.rotator
      const says = outlook?.call(harness.rotator, current, harness.policy) ?? 'nothing to say'
      assert.ok(says.length > 10 && !says.endsWith('.'))
      const texts = Object.values(JSON.parse(harness.current.reveal()) as Record<string, unknown>).flat()
      for (const text of texts) if (typeof text === 'string' && text.length > 10) assert.ok(!says.includes(text))
    })

    it('finds nothing wrong with a policy and values that fit', () => harness.rotator.check(harness.context(current)))

    it('accepts current, and not a wrong password', async () => {
      const wrong = new SecretText(harness.current.reveal().replace(/"password":"[^"]*"/, '"password":"wrong-0123456789"'))
      assert.equal(await accepted(current, current), true)
      if (named.outside) assert.equal(await accepted(harness.rotator.parse(wrong, harness.policy), current), false)
    })

    it('proposes another value each time, keeps shape, order and foreign fields', async () => {
      pending = await make()
      const again = await make()
      assert.notDeepEqual(
        inspect(harness.rotator.render(harness.current, pending).reveal()),
        inspect(harness.rotator.render(harness.current, again).reveal()),
      )
      const [before_, after_] = [harness.current, harness.rotator.render(harness.current, pending)].map(
        (text) => JSON.parse(text.reveal()) as Record<string, unknown>,
      )
      assert.deepEqual(Object.keys(after_ ?? {}), Object.keys(before_ ?? {}))
      assert.equal(after_?.note, 'stays')
      assert.notEqual(after_?.password, before_?.password)
    })

    it('identifies a credential without giving it away', () => {
      const id = harness.rotator.identify(pending)
      assert.equal(harness.rotator.identify(pending), id)
      assert.ok(Buffer.byteLength(id) <= 128)
      assert.ok(!harness.rotator.render(harness.current, pending).reveal().includes(`"password":"${id}"`))
    })

    it('verify fails before apply and passes after; apply twice is apply once', async () => {
      const context = harness.context(current)
      const tries = proofOf(harness.rotator, harness.policy) === 'login'
      if (!named.bornValid && tries) await assert.rejects(harness.rotator.verify(context, pending), code('target_auth'))
      else if (!tries) assert.equal(await accepted(pending, current), false)
      const fresh = harness.context(current)
      assert.deepEqual(await harness.rotator.apply(fresh, pending), { done: true })
      assert.deepEqual(await harness.rotator.apply(fresh, pending), { done: true })
      assert.deepEqual(await harness.rotator.verify(fresh, pending), [])
      assert.equal(await accepted(pending, current), true)
    })

    it(named.overlaps ? 'leaves the outgoing credential valid' : 'ends the outgoing credential', async () => {
      assert.equal(await accepted(current, current), named.overlaps)
    })

    it('looks at a value with one login, or says that no password can be tried', async () => {
      const { rotator, policy } = harness
      const seen = await seeLogin(rotator, harness.context(pending), pending)
      const isSeen = proofOf(rotator, policy) === 'login' ? true : null
      assert.deepEqual([seen.passwordAccepted, seen.logsIn], [isSeen, isSeen])
    })

    it('tells about usage, or says that it cannot', async () => {
      const usage = await (harness.rotator.sessions ?? harness.rotator.issuer)?.usage(
        harness.context(pending),
        harness.rotator.identify(current),
      )
      if (usage) assert.ok([true, false, 'unknown'].includes(usage.inUse) && usage.evidence.length > 0)
    })

    // One slot, or nothing outside: then there is nothing to retire.
    const retires = named.overlaps && named.outside ? it : undefined
    retires?.('retires the outgoing credential, twice, and not the new one', async () => {
      const context = harness.context(pending)
      const id = harness.rotator.identify(current)
      assert.deepEqual(await harness.rotator.retire(context, id), { done: true })
      assert.deepEqual(await harness.rotator.retire(context, id), { done: true })
      assert.equal(await harness.rotator.accepted(harness.context(pending), current), false)
      assert.equal(await harness.rotator.accepted(harness.context(pending), pending), true)
    })
  })
}
