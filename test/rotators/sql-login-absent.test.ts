import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { dialect, parsePostgres } from '../../shared/rotators/postgres/value.js'
import { assertClear } from '../../shared/rotators/sql/clear.js'

const url = 'postgres://u:Canary@h:5433/d'
const textWith = (fields: object): SecretText => new SecretText(JSON.stringify(fields))
const refusal = (fields: object, act = (value: SecretText): unknown => parsePostgres(value, {})): RotationError => {
  try {
    act(textWith(fields))
  } catch (cause) {
    assert.ok(cause instanceof RotationError)
    assert.doesNotMatch(`${cause.message} ${cause.next}`, /Canary/)
    return cause
  }
  return assert.fail('it was accepted')
}
const read = (fields: object): readonly unknown[] => {
  const { user, password, host, port, database } = parsePostgres(textWith(fields), {})
  return [user, password.reveal(), host, port, database]
}
const inUrl = ['u', 'Canary', 'h', 5433, 'd']

describe('a login in fields beside its connection URL', () => {
  const absent: readonly object[] = [
    {},
    ...[null, ''].flatMap((nothing) => [
      { username: nothing },
      { user: nothing },
      { password: nothing },
      { host: nothing },
      { username: nothing, user: nothing, password: nothing, host: nothing, port: nothing, dbname: nothing },
    ]),
  ]
  for (const fields of absent)
    it(`${JSON.stringify(fields)}: what is null or empty counts as absent`, () => assert.deepEqual(read({ ...fields, url }), inUrl))

  it('a name that is null or empty does not hide the other name of the same', () => {
    for (const nothing of [null, '']) {
      assert.deepEqual(read({ username: nothing, user: 'u', password: 'Canary', url }), inUrl)
      assert.equal(refusal({ username: nothing, user: 'v', password: 'Canary', url }).field, 'host', 'the URL of another login')
    }
  })

  it('two URLs, and no field that says which', () => {
    const error = refusal({ username: null, password: '', url, other: url })
    assert.deepEqual([error.code, error.field], ['bad_value', 'username'])
    assert.match(error.message, /several fields hold a connection URL/)
  })

  it('a URL for JDBC counts where there is no other', () => {
    assert.deepEqual(read({ url: `jdbc:${url.replace('postgres', 'postgresql')}` }), inUrl)
    assert.deepEqual(read({ url, jdbc: 'jdbc:postgresql://h:5433/d' }), inUrl)
    assert.equal(refusal({ jdbc: 'jdbc:postgresql://h:5433/d' }).field, 'username')
  })

  it('what clients read differently is refused before it is stored, too', () => {
    for (const nothing of [null, ''])
      assert.equal(refusal({ password: nothing, url: `${url}?dbname=e` }, (value) => assertClear(value, dialect)).field, 'url')
  })
})

describe('a connection URL of this engine that cannot be read', () => {
  const unreadable = ['postgres://u:Canary@h:+5433/d', 'postgres://u:Canary@h1:1,h2:2/d', 'jdbc:postgresql://u:Canary@h:x/d']
  const fields: readonly object[] = [
    {},
    { username: '', password: '', host: null },
    { username: null, host: 'h' },
    { queue: 'amqp://a:b@h' },
  ]
  for (const text of unreadable)
    for (const rest of fields)
      it(`${text.replace('Canary', '…')} beside ${JSON.stringify(rest)}: called unreadable, with its reason`, () => {
        const error = refusal({ ...rest, DATABASE_URL: text })
        assert.deepEqual([error.code, error.field], ['bad_value', 'DATABASE_URL'])
        assert.equal(error.message, 'The field DATABASE_URL names more than one host or an invalid port.')
      })

  it('is left alone beside another login', () => {
    assert.deepEqual(
      read({ username: 'u', password: 'Canary', host: 'h', port: 5433, dbname: 'd', replicas: 'postgres://r:x@h1:1,h2:2/d' }),
      inUrl,
    )
  })
})
