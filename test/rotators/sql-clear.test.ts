import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { codeOf } from '../../shared/core/errors.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { parsePostgres } from '../../shared/rotators/postgres/value.js'
import { pairKey } from '../../shared/rotators/sql/pair.js'

const password = 'p@Canary/s:w'
const good = { engine: 'postgres', host: 'h', port: 5432, username: 'u', password, dbname: 'd' }
const as = (rest: object): string => JSON.stringify({ ...good, ...rest })
const url = (rest: string, scheme = 'postgres'): string => `${scheme}://u:${encodeURIComponent(password)}@${rest}`

/** The field that is named, or undefined for a value that is accepted; what the error says. */
type Row = readonly [value: string, field?: string, says?: RegExp]
const unclear = /percent-encoded: @ as %40/
const urls: readonly Row[] = [
  ['postgres://u:Canary@b/c@h/d', 'value', unclear],
  ['postgres://u:Canary@b@h/d', 'value', unclear],
  ['postgres://u@Canary:x@h/d', 'value', unclear],
  ['postgres://u:Canary/b@h/d', 'value', unclear],
  ['postgres://u:Canary?b@h/d', 'value', unclear],
  ['postgres://u:Canary#b@h/d', 'value', unclear],
  ['postgres://u:12/Canary@h/d', 'value', unclear],
  ['postgres://u:12?Canary@h/d', 'value', unclear],
  ['postgres://u:12#Canary@h/d', 'value', unclear],
  ['postgres://u:a@Canary?x=y@h/d', 'value', unclear],
  ['postgres://u:a@Canary#x@h', 'value', unclear],
  ['postgres://u/Canary@h/d', 'value', unclear],
  ['postgresql://u:Canary@x@[::1]/d', 'value', unclear],
  ['jdbc:postgresql://u:Canary@x@h/d', 'value', unclear],
  ['jdbc:postgresql://h/d?user=u&password=Canary', 'value', /parameter user,.*percent-encoded/],
  ['postgres://u:Canary x@h/d', 'value', /white space.*%20/],
  ['postgres://u:Canary%0A@h/d', 'value', /password that .*ends with a line break/],
  ['postgres://u:Canary@h/d#part', 'value', /# before its query.*%23/],
  ['postgres://u:Canary@h%2fx/d', 'host'],
  ['postgres://u:Canary@[h]/d', 'host'],
  ...['host', 'hostaddr', 'port', 'user', 'username', 'password', 'PASSWORD', 'passfile', 'service', 'pass%77ord', 'PGHOST'].map(
    (name): Row => [url(`h/d?sslmode=require&${name}=Canary2`), 'value', new RegExp(`parameter ${decodeURIComponent(name)},`)],
  ),
  [url('h/d?dbname=e'), 'value', /parameter dbname/],
  [url('h?database=e'), 'value', /parameter database/],
  [url('h/d?sslmode=disable&sslmode=verify-full'), 'value', /parameter sslmode twice/],
  [url('h/d?dbname=d')],
  [url('h/d?application_name=me%40x&options=-c%20a%3Db')],
  [url('h/d?u=x@y:z')],
  [url('h/d?a=b#part')],
  [url('[::1]:5433/d', 'jdbc:postgresql')],
  [` \n${url('h/d')}\n`],
  ["postgres://u:p!$&'()*+,;=:w@h/d"],
]
const fields: readonly Row[] = [
  [as({ host: '[::1]' }), 'host', /brackets/],
  [as({ host: 'h:5432' }), 'host', /without port/],
  [as({ host: 'u@h' }), 'host'],
  [as({ host: ' h' }), 'host', /white space/],
  [as({ host: 'h\n' }), 'host', /ends with a line break/],
  [as({ port: '5_432' }), 'port', /not a port number/],
  [as({ port: ' +5432 ' })],
  [as({ port: null })],
  [as({ username: 'u\n' }), 'username', /ends with a line break/],
  [as({ password: `${password}\r\n` }), 'password', /ends with a line break/],
  [as({ password: `\t${password}` }), 'password', /begins with a line break or a tab/],
  [as({ dbname: 'd\n' }), 'dbname'],
  [as({ PGPASSWORD: `${password}\n` }), 'PGPASSWORD', /ends with a line break/],
  [as({ 'db-user': 'u\n' }), 'db-user'],
  [as({ user: 'v' }), 'user', /field username/],
  [as({ database: 'e' }), 'database', /field dbname/],
  [`{"password":"Canary",${as({}).slice(1)}`, 'value', /"password" twice/],
  [as({ 'db-url': `postgres://u:${password}@h/d` }), 'db-url', unclear],
  [as({ 'db-url': `postgresql://u:p@Canary%2fs:w@h/d` }), 'db-url', unclear],
  [as({ 'connection-string': `${url('h/d')}\n` }), 'connection-string', /white space/],
  [as({ uri: url('h/d?password=Canary2') }), 'uri', /parameter password/],
  [as({ jdbc: `jdbc:postgresql://h/d?user=u&password=${encodeURIComponent(password)}` }), 'jdbc', /parameter user/],
  [as({ password: 'x@y', 'db-url': 'postgres://u:x@y@h/d' }), 'db-url', unclear],
  [JSON.stringify({ DATABASE_URL: 'postgres://u:Canary@x@h/d' }), 'DATABASE_URL', unclear],
  [JSON.stringify({ username: 'u', DATABASE_URL: 'postgres://u:Canary@x@h/d' }), 'DATABASE_URL', unclear],
  [as({ user: 'u', database: 'd' })],
  [as({ host: '::1' })],
  [as({ host: 'fe80::1%eth0' })],
  [as({ host: 'my_db.internal' })],
  [as({ username: ' a blank ', password: ' a blank ' })], // every client takes a blank as it is
  [as({ 'db-url': url('h/d'), 'read-url': url('h1,h2/d'), jdbc: url('h/d', 'jdbc:postgresql') })],
  // Of somebody else, in whatever form.
  [as({ 'redis-url': 'redis://:a@b/c@r/0', 'report-url': 'postgres://reader:a@b/c@other/d', mail: 'me@x', docs: 'https://x/@me' })],
  [as({ 'report-url': 'jdbc:postgresql://h/d?user=reader&password=x', 'redis-password': 'x\n', kafka: 'kafka://h1:1,h2:2' })],
]

describe('a value that clients read in different ways', () => {
  for (const [value, field, says] of [...urls, ...fields]) {
    it(`${JSON.stringify(value)}: ${field === undefined ? 'is accepted' : `bad_value, ${field}`}`, () => {
      if (field === undefined) return void parsePostgres(new SecretText(value), {})
      assert.throws(
        () => parsePostgres(new SecretText(value), {}),
        (cause: Error & { field?: string; next?: string }) => {
          assert.deepEqual([codeOf(cause), cause.field], ['bad_value', field])
          if (says) assert.match(`${cause.message} ${cause.next}`, says)
          assert.ok(!inspect(cause, { depth: 9, showHidden: true }).includes('Canary'), 'a piece of the value is shown')
          return true
        },
      )
    })
  }

  it('a bare password that ends with a line break, or that is a URL with a blank', () => {
    const at = { 'keyturn-at': 'u@h:5432/d' }
    for (const text of ['Canary-0123456789\n', '\tCanary-0123456789', 'postgres://u:Canary x@h/d'])
      assert.throws(() => parsePostgres(new SecretText(text), at), { code: 'bad_value', field: 'value' })
    assert.equal(parsePostgres(new SecretText(' with blanks '), at).password.reveal(), ' with blanks ')
  })

  it('a pair with an empty name, or with one name twice', () => {
    for (const [text, says] of [
      ['a ', /empty/],
      [' a', /empty/],
      ['a  b', /empty/],
      ['a', /two logins/],
      ['a b c', /two logins/],
      ['a a', /twice/],
    ] as const)
      assert.match(pairKey.check(text) ?? '', says, text)
    for (const text of ['a b', 'a A']) assert.equal(pairKey.check(text), undefined)
  })
})
