import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { RotationError } from '../../shared/core/errors.js'
import type { Code } from '../../shared/core/ports/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { type AuditRecord, createGuard, createRedactor, type Guard, guarded, guardStore } from '../../shared/lifecycle/guard/index.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { FakeEnv } from '../harness/fake-env.js'

const canary = 'p"%\'\\ü-Canary-0123456789'

function guardOf(write: (record: AuditRecord) => Promise<void> = async () => {}): { guard: Guard; env: FakeEnv; records: AuditRecord[] } {
  const env = new FakeEnv()
  const records: AuditRecord[] = []
  const keep = async (record: AuditRecord) => {
    await write(record)
    records.push(record)
  }
  return { guard: createGuard({ env, audit: { write: keep }, redactor: createRedactor(), holder: 'h' }), env, records }
}
const call = (rest: { effect?: boolean; deadline?: number; code?: Code } = {}) => ({
  name: 'store.stage',
  ref: 'file:db',
  effect: rest.effect ?? false,
  classify: () => rest.code ?? ('internal' as const),
  ...(rest.deadline === undefined ? {} : { deadline: rest.deadline }),
})
const failing = (times: number): { act: () => Promise<string>; calls: () => number } => {
  let calls = 0
  return {
    act: async () => {
      if (calls++ < times) throw new Error(`failed with ${canary}`)
      return 'done'
    },
    calls: () => calls,
  }
}

describe('guard', () => {
  it('repeats only what the driver calls worth repeating, four times at most, with growing pauses', async () => {
    const { guard, env } = guardOf()
    const start = env.time
    const twice = failing(2)
    assert.equal(await guarded(guard, call({ code: 'unavailable' }), twice.act), 'done')
    assert.ok(env.time - start >= 300)
    const always = failing(99)
    await assert.rejects(guarded(guard, call({ code: 'target_unreachable' }), always.act), { code: 'target_unreachable' })
    assert.equal(always.calls(), 4)
    for (const code of ['target_auth', 'conflict', 'ambiguous', 'denied', 'internal', 'held'] as const) {
      const once = failing(1)
      await assert.rejects(guarded(guard, call({ code }), once.act), { code })
      assert.equal(once.calls(), 1)
    }
  })

  it('starts no repetition that would end after the deadline', async () => {
    const { guard, env } = guardOf()
    const late = failing(9)
    await assert.rejects(guarded(guard, call({ code: 'unavailable', deadline: env.time + 50 }), late.act), { code: 'unavailable' })
    assert.equal(late.calls(), 1)
  })

  it('writes intent before and outcome after; a lost intent stops the effect, a lost outcome does not undo it', async () => {
    const good = guardOf()
    const one = failing(0)
    await guarded(good.guard, call({ effect: true }), one.act)
    assert.deepEqual(
      good.records.map(({ phase, ok }) => [phase, ok]),
      [
        ['intent', undefined],
        ['outcome', true],
      ],
    )
    const noIntent = guardOf(async ({ phase }) => {
      if (phase === 'intent') throw new Error('disk full')
    })
    const none = failing(0)
    await assert.rejects(guarded(noIntent.guard, call({ effect: true }), none.act), { code: 'audit_failed' })
    assert.equal(none.calls(), 0)
    const noOutcome = guardOf(async ({ phase }) => {
      if (phase === 'outcome') throw new Error('disk full')
    })
    assert.equal(await guarded(noOutcome.guard, call({ effect: true }), failing(0).act), 'done')
    assert.ok(noOutcome.env.lines.some(({ code }) => code === 'audit_outcome_lost'))
  })

  it('records the code of a failed effect', async () => {
    const { guard, records } = guardOf()
    await assert.rejects(guarded(guard, call({ effect: true, code: 'denied' }), failing(1).act))
    assert.deepEqual(
      records.map(({ phase, ok, code }) => [phase, ok, code]),
      [
        ['intent', undefined, undefined],
        ['outcome', false, 'denied'],
      ],
    )
  })

  it('does nothing after the lease, nor after an interruption', async () => {
    const { guard, env } = guardOf()
    const never = failing(0)
    await assert.rejects(guarded(guard, call({ effect: true, deadline: env.time }), never.act), { code: 'conflict' })
    env.abort.abort()
    await assert.rejects(guarded(guard, call({ effect: true }), never.act), { code: 'held' })
    assert.equal(never.calls(), 0)
  })

  it('wraps once, with a cause that keeps name, code and message and nothing else, all of it redacted', async () => {
    const { guard } = guardOf()
    guard.redactor.learn(new SecretText(canary))
    const driver = Object.assign(new Error(`syntax error near '${canary.replaceAll("'", "''")}'`), {
      code: '42601',
      query: canary,
      detail: encodeURIComponent(canary),
      config: { password: canary },
    })
    const act = async () => {
      throw driver
    }
    const error = await guarded(guard, call({ code: 'denied' }), act).catch((cause: unknown) => cause)
    assert.ok(error instanceof RotationError && error.cause instanceof Error)
    assert.deepEqual([error.code, (error.cause as { code?: string }).code], ['denied', '42601'])
    const shown = inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error) + error.stack + error.cause.stack
    for (const form of [canary, encodeURIComponent(canary), JSON.stringify(canary).slice(1, -1), canary.replaceAll("'", "''")])
      assert.ok(!shown.includes(form))
    const own = new RotationError('bad_value', `contains ${canary}`, { next: `remove ${canary}`, field: 'x' })
    const again = await guarded(guard, call(), async () => Promise.reject(own)).catch((cause: unknown) => cause)
    assert.deepEqual(
      [(again as RotationError).message, (again as RotationError).next, (again as RotationError).field],
      ['contains [secret]', 'remove [secret]', 'x'],
    )
  })

  it('refuses a value that the store cannot take before any call, and knows every value that was read', async () => {
    const { guard, env, records } = guardOf()
    const store = new MemoryStore(env)
    const ref = await store.create('db', new SecretText(canary), {})
    const safe = guardStore(store, guard)
    const state = await safe.describe(ref)
    await safe.read(ref, state.current?.id as NonNullable<typeof state.current>['id'])
    guard.env.log('x', { text: `a ${canary} b` })
    assert.equal(env.lines.at(-1)?.fields.text, 'a [secret] b')
    const claim = await safe.claim(state, {
      token: 'token-0123456789-0123456789-abcdef' as typeof claim.token,
      kind: 'rotate',
      holder: 'h',
      leaseMs: 60_000,
    })
    const before = records.length
    await assert.rejects(safe.stage(claim, new SecretText('x'.repeat(store.traits.valueBytesMax + 1))), { code: 'too_large' })
    assert.equal(records.length, before)
  })
})
