import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codeOf, messageOf, RotationError, systemCodeOf } from '../../shared/core/errors.js'
import { deriveToken, isToken, newVersionId } from '../../shared/core/ids.js'
import { codes } from '../../shared/core/ports/errors.js'
import { requestKinds, type SecretRef, type VersionId } from '../../shared/core/ports/words.js'
import { splitRef, storeKind } from '../../shared/core/refs.js'
import { storeRow } from '../../shared/stores/registry.js'

const questions = fc.record({
  kind: fc.constantFrom(...requestKinds),
  store: fc.constantFrom(...['aws', 'gcp', 'file'].map(storeKind)),
  key: fc.string(),
  base: fc.oneof(fc.constant(null), fc.string()),
  refusals: fc.nat(5),
})
type Question = typeof questions extends fc.Arbitrary<infer T> ? T : never
const tokenOf = ({ kind, store, key, base, refusals }: Question, shown = `${store}:${key}`) =>
  deriveToken(kind, { store, key, shown, name: key } satisfies SecretRef, base as VersionId | null, refusals)

describe('a derived token', () => {
  it('has the form of a UUID, and is the same for the same question, however the secret is shown', () => {
    fc.assert(
      fc.property(questions, (question) => {
        const token = tokenOf(question)
        assert.match(token, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/)
        assert.ok(isToken(token))
        assert.equal(tokenOf({ ...question }, 'arn:something'), token)
      }),
    )
  })

  it('differs when anything in the question differs', () => {
    fc.assert(
      fc.property(questions, questions, (a, b) => {
        const same =
          JSON.stringify([a.kind, a.store, a.key, a.base, a.refusals]) === JSON.stringify([b.kind, b.store, b.key, b.base, b.refusals])
        assert.equal(tokenOf(a) === tokenOf(b), same)
        for (const part of ['kind', 'store', 'key', 'base', 'refusals'] as const)
          if (a[part] !== b[part]) assert.notEqual(tokenOf({ ...a, [part]: b[part] }), tokenOf(a), part)
      }),
    )
  })

  it('does not confuse neighbours: text of one part in another, no version and a version called null', () => {
    const question: Question = { kind: 'rotate', store: storeKind('file'), key: 'db', base: null, refusals: 0 }
    const near = [
      question,
      { ...question, base: 'null' },
      { ...question, base: '' },
      { ...question, key: 'db",null' },
      { ...question, key: 'db', base: '0' },
    ]
    assert.equal(new Set(near.map((one) => tokenOf(one))).size, near.length)
  })

  it('stays what it was: a rotation that an older program opened is found again', () =>
    assert.equal(
      tokenOf({ kind: 'rotate', store: storeKind('file'), key: 'db', base: 'v1', refusals: 0 }),
      'febf907e-298e-8644-a355-914328d126c3',
    ))
})

describe('a version id', () => {
  it('sorts by time', () => {
    const times = fc.integer({ min: 0, max: 36 ** 9 - 1 })
    fc.assert(
      fc.property(times, times, fc.uint8Array({ minLength: 8, maxLength: 8 }), (a, b, random) => {
        const [first, second] = [newVersionId(a, random), newVersionId(b, random)]
        assert.equal(Math.sign(first < second ? -1 : first > second ? 1 : 0), Math.sign(a - b))
      }),
    )
  })
})

describe('splitRef', () => {
  it('says so where a store is named and no secret', () => {
    for (const text of ['aws:', 'file:', '']) assert.throws(() => splitRef(text, storeKind('file')), { code: 'bad_event', field: 'ref' })
  })

  it('takes the store in front of the first colon, and everything behind as it is', () => {
    fc.assert(
      fc.property(fc.constantFrom(...['aws', 'file', 'k8s'].map(storeKind)), fc.string({ unit: 'binary', minLength: 1 }), (store, name) => {
        assert.deepEqual(splitRef(`${store}:${name}`), { store, name })
        assert.deepEqual(splitRef(`${store}:${name}`, storeKind('memory')), { store, name })
      }),
    )
  })

  it('takes a name without a store only where there is a default', () => {
    assert.deepEqual(splitRef('prod/db', storeKind('file')), { store: storeKind('file'), name: 'prod/db' })
    assert.throws(() => splitRef('prod/db'), { code: 'bad_event', field: 'ref' })
  })

  it('refuses what names no store, and the registry one that it does not have', () => {
    for (const text of ['file:', ':', 'toString:db', 'FILE:db', ' file:db', ':db', ''])
      assert.throws(() => splitRef(text), { code: 'bad_event' }, text)
    for (const text of ['s3:db', 'files:db', 'constructor:db', 'memory:db'])
      assert.throws(() => storeRow(splitRef(text, storeKind('file')).store), { code: 'bad_event', field: 'ref' }, text)
  })
})

describe('errors', () => {
  it('say what to do for every code', () => {
    for (const [code, remedy] of Object.entries(codes))
      assert.equal(new RotationError(code as keyof typeof codes, 'x', { next: 'y' }).remedy, remedy)
  })

  it('are told from foreign ones without trusting them', () => {
    assert.deepEqual(
      [codeOf(new RotationError('held', 'x', { next: 'y' })), codeOf({ code: 'held' }), codeOf(null)],
      ['held', undefined, undefined],
    )
    assert.deepEqual([{ code: 'E' }, { code: 5 }, null, 'E', undefined].map(systemCodeOf), [
      'E',
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    assert.deepEqual([messageOf(new Error('x')), messageOf('y'), messageOf(undefined)], ['x', 'y', 'undefined'])
    assert.ok(!('cause' in new RotationError('held', 'x', { next: 'y' })))
  })
})
