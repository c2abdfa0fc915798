import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AnyRotator, Context } from '../../shared/core/ports/rotator.js'
import type { Claim, ClaimWish, SecretState, SecretStore, VersionInfo } from '../../shared/core/ports/store.js'
import type { CredentialId, SecretRef, Token, VersionId } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { type AuditRecord, createGuard, createRedactor, guardRotator, guardStore } from '../../shared/lifecycle/guard/index.js'
import { FakeEnv } from '../harness/fake-env.js'

const canary = 'p"%\'\\ü-\u{1f511}x'
const ref: SecretRef = { store: storeKind('memory'), key: 'db', shown: 'memory:db', name: 'db' }
const version = 'v1' as VersionId
const info: VersionInfo = { id: version, createdAt: 0, hasValue: true }
const token = 'token-0123456789-0123456789-abcdef' as Token
const state: SecretState = { ref, publishedAt: 0, loose: [], drivenBy: 'engine', policy: {}, journal: null, rev: '1' }
const wish: ClaimWish = { token, kind: 'rotate', holder: 'h', leaseMs: 60_000, reason: 'asked for' }
const claimUntil = (leaseUntil: number): Claim => ({
  ref,
  token,
  kind: 'rotate',
  holder: 'h',
  attempt: 1,
  base: version,
  leaseUntil,
  drivenBy: 'engine',
})

function bench(valueBytesMax = 100) {
  const env = new FakeEnv()
  const [records, calls]: [AuditRecord[], string[]] = [[], []]
  const guard = createGuard({ env, audit: { write: async (record) => void records.push(record) }, redactor: createRedactor(), holder: 'h' })
  const did = async <T>(name: string, value: T): Promise<T> => {
    calls.push(name)
    return value
  }
  const store: SecretStore = {
    traits: { journalCas: true, valueBytesMax },
    resolve: () => did('resolve', ref),
    describe: () => did('describe', state),
    read: () => did('read', new SecretText(canary)),
    readCurrent: () => did('readCurrent', { ref, value: new SecretText(canary) }),
    claim: () => did('claim', claimUntil(env.time + 60_000)),
    stage: () => did('stage', { version, stored: 'supplied' as const }),
    discard: () => did('discard', 'again' as const),
    publish: () => did('publish', info),
    note: () => did('note', undefined),
    async *list() {
      yield state
    },
    dispose: () => did('dispose', undefined),
    classify: () => 'unavailable',
  }
  const rotator: AnyRotator = {
    about: { kind: 'fake', title: 'Fake', type: 'other', strategies: ['replace'], policy: [] },
    traits: { outside: true, slots: () => 1, propagates: false, rollback: () => 'reapply' },
    parse: () => ({ password: new SecretText('parsed-password') }),
    render: () => new SecretText('rendered-text'),
    identify: () => 'app' as CredentialId,
    check: () => {},
    propose: () => ({ deep: { password: new SecretText('proposed-password') } }),
    issuer: {
      mint: () => did('mint', { key: new SecretText('minted-key') }),
      usage: () => did('usage', { inUse: false as const, evidence: 'none' }),
    },
    apply: () => did('apply', { done: true as const }),
    accepted: () => did('accepted', true),
    verify: () => did('verify', []),
    retire: () => did('retire', { done: true as const }),
    classify: () => 'internal',
  }
  const context: Context<unknown> = { ref, token, policy: {}, deadline: env.time + 60_000, live: [], env }
  return { env, guard, records, calls, context, store: guardStore(store, guard), rotator: guardRotator(rotator, guard) }
}
type Bench = ReturnType<typeof bench>

const storeEffects: Readonly<Record<string, (one: Bench, claim: Claim) => Promise<unknown>>> = {
  claim: ({ store }) => store.claim(state, wish),
  stage: ({ store }, claim) => store.stage(claim, new SecretText('x')),
  discard: ({ store }, claim) => store.discard(claim, version),
  publish: ({ store }, claim) => store.publish(claim, version),
  note: ({ store }) => store.note(state, {}),
  dispose: ({ store }) => store.dispose(ref, version),
}
const rotatorEffects: Readonly<Record<string, (one: Bench, context: Context<unknown>) => Promise<unknown> | undefined>> = {
  mint: ({ rotator }, context) => rotator.issuer?.mint(context),
  apply: ({ rotator }, context) => rotator.apply(context, {}),
  retire: ({ rotator }, context) => rotator.retire(context, 'old' as CredentialId),
}

describe('a guarded store', () => {
  it('records each change twice, with the token that asked for it where there is one, and looks not at all', async () => {
    for (const [name, act] of Object.entries(storeEffects)) {
      const one = bench()
      await act(one, claimUntil(one.env.time + 1000))
      assert.deepEqual(
        one.records.map(({ phase, effect, ref: shown }) => [phase, effect, shown]),
        ['intent', 'outcome'].map((phase) => [phase, `store.${name}`, 'memory:db']),
      )
      if (!['note', 'dispose'].includes(name)) assert.ok(one.records.every((record) => record.token === token))
      assert.deepEqual(one.calls, [name])
    }
    const look = bench()
    await look.store.resolve('memory:db')
    await look.store.describe(ref)
    await look.store.read(ref, version)
    assert.deepEqual(look.records, [])
  })

  it('starts nothing that needs the claim when the lease is over', async () => {
    for (const name of ['stage', 'discard', 'publish']) {
      const one = bench()
      await assert.rejects(async () => storeEffects[name]?.(one, claimUntil(one.env.time)), { code: 'conflict' })
      assert.deepEqual([one.calls, one.records], [[], []], name)
    }
  })

  it('changes nothing after an interruption', async () => {
    for (const [name, act] of Object.entries(storeEffects)) {
      const one = bench()
      one.env.abort.abort()
      await assert.rejects(act(one, claimUntil(one.env.time + 1000)), { code: 'held' }, name)
      assert.deepEqual([one.calls, one.records], [[], []], name)
    }
  })

  it('refuses a value that is one byte too large before any call or record, counting UTF-8', async () => {
    const one = bench(8)
    const claim = claimUntil(one.env.time + 1000)
    for (const text of ['123456789', 'üüüüx', '\u{1f511}\u{1f511}x'])
      await assert.rejects(one.store.stage(claim, new SecretText(text)), { code: 'too_large', field: 'value' })
    assert.deepEqual([one.calls, one.records], [[], []])
    for (const text of ['12345678', 'üüüü', '\u{1f511}\u{1f511}']) await one.store.stage(claim, new SecretText(text))
    assert.equal(one.calls.length, 3)
  })

  it('a listing whose reader stops early lets go of what the store holds open', async () => {
    const { guard, store } = bench()
    let isOpen = false
    const opening: SecretStore = {
      ...store,
      async *list() {
        isOpen = true
        try {
          yield state
          yield state
        } finally {
          isOpen = false
        }
      },
    }
    for await (const listed of guardStore(opening, guard).list({ managed: false })) {
      assert.deepEqual([listed.ref, isOpen], [ref, true])
      break
    }
    assert.equal(isOpen, false)
  })

  it('explains a listing that fails, after what it had shown, and does not begin it again', async () => {
    const { guard, store } = bench()
    let begun = 0
    const failing = {
      ...store,
      async *list() {
        begun++
        yield state
        throw new TypeError('no answer')
      },
    }
    const shown: unknown[] = []
    const looked = async (): Promise<void> => {
      for await (const one of guardStore(failing, guard).list({ managed: true }, () => {})) shown.push(one)
    }
    await assert.rejects(looked(), { name: 'RotationError', code: 'unavailable', message: 'store.list of the store failed: no answer.' })
    assert.deepEqual([begun, shown], [1, [state]])
  })

  it('makes known what is read, and what is staged before it is sent', async () => {
    const one = bench()
    await one.store.read(ref, version)
    await one.store.stage(claimUntil(one.env.time + 1000), new SecretText('staged-value'))
    assert.equal(one.guard.redactor.clean(`${canary} staged-value`), '[secret] [secret]')
  })
})

describe('a guarded rotator', () => {
  it('records each change twice under its kind and token, and looks not at all', async () => {
    for (const [name, act] of Object.entries(rotatorEffects)) {
      const one = bench()
      await act(one, one.context)
      assert.deepEqual(
        one.records.map(({ phase, effect, token: asked }) => [phase, effect, asked]),
        ['intent', 'outcome'].map((phase) => [phase, `fake.${name}`, token]),
      )
    }
    const look = bench()
    await look.rotator.accepted(look.context, {})
    await look.rotator.verify(look.context, {})
    await look.rotator.issuer?.usage(look.context, 'old' as CredentialId)
    assert.deepEqual([look.records, look.calls], [[], ['accepted', 'verify', 'usage']])
  })

  it('changes nothing after the deadline, nor after an interruption', async () => {
    for (const [name, act] of Object.entries(rotatorEffects)) {
      const late = bench()
      await assert.rejects(async () => act(late, { ...late.context, deadline: late.env.time }), { code: 'conflict' }, name)
      const stopped = bench()
      stopped.env.abort.abort()
      await assert.rejects(async () => act(stopped, stopped.context), { code: 'held' }, name)
      assert.deepEqual([late.calls, stopped.calls], [[], []])
    }
  })

  it('makes every value known that it is given, understands, proposes, writes or mints', async () => {
    const one = bench()
    one.rotator.parse(new SecretText('given-text'), {})
    one.rotator.propose(one.context)
    one.rotator.render(new SecretText('shape'), {})
    await one.rotator.issuer?.mint(one.context)
    const all = ['given-text', 'parsed-password', 'proposed-password', 'rendered-text', 'minted-key']
    assert.equal(one.guard.redactor.clean(all.join(' ')), all.map(() => '[secret]').join(' '))
  })

  it('has every member that the rotator has, and no other', () => {
    const { guard, rotator } = bench()
    const whole: AnyRotator = {
      ...rotator,
      sessions: { usage: async () => ({ inUse: 'unknown', evidence: 'x' }), end: async () => {}, endOnRetire: () => true },
      older: { retained: () => [] },
      publicHalf: { set: () => undefined },
      typeOf: () => 'other',
      identities: () => [],
      outlook: () => 'x',
      tooEarly: () => undefined,
      digests: () => new SecretText('digests'),
      restore: (_now, back) => back,
    }
    for (const name of [
      'issuer',
      'sessions',
      'older',
      'publicHalf',
      'typeOf',
      'identities',
      'outlook',
      'tooEarly',
      'digests',
      'restore',
    ] as const) {
      const { [name]: _, ...rest } = whole
      assert.deepEqual(Object.keys(guardRotator(whole, guard)).sort(), Object.keys(whole).sort())
      assert.deepEqual(Object.keys(guardRotator(rest, guard)).sort(), Object.keys(rest).sort(), `without ${name}`)
    }
  })
})
