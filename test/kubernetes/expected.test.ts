import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { holds, mappingOf, takesWhatChanged, whyNoOneRead } from '../../shared/notifiers/kubernetes/expected.js'
import { asExternalSecret, asSecret } from '../../shared/notifiers/kubernetes/objects.js'
import { isSynced, mapText, markOf } from '../../shared/notifiers/kubernetes/sync.js'

const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf'
const entry = (secretKey: string, property?: string, key = 'db', more: object = {}) => ({
  secretKey,
  remoteRef: { key, ...(property === undefined ? {} : { property }), ...more },
})
const externalSecret = (spec: object) => asExternalSecret({ metadata: { name: 'db' }, spec })
const mapped = (spec: object) => mappingOf(externalSecret(spec), 'db')
const value = (password: string, username = 'app') => new SecretText(JSON.stringify({ username, password, port: 5432 }))
const secret = (data: Readonly<Record<string, string>>) =>
  asSecret({
    metadata: { name: 'db' },
    data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  })
const holdsIt = (spec: object, data: Readonly<Record<string, string>>): boolean => {
  const mapping = mapped(spec)
  assert.ok('keys' in mapping, JSON.stringify(mapping))
  return holds(secret(data), mapping, value('new'))
}

describe('what an ExternalSecret makes of a value', () => {
  it('single entries: each key holds its field, numbers as text, a whole value as it stands', () => {
    const data = [entry('user', 'username'), entry('pass', 'password'), entry('port', 'port'), entry('all')]
    const right = { user: 'app', pass: 'new', port: '5432', all: value('new').reveal() }
    assert.ok(holdsIt({ data }, right))
    for (const key of Object.keys(right)) assert.ok(!holdsIt({ data }, { ...right, [key]: 'old' }), key)
    const { pass: _, ...without } = right
    assert.ok(!holdsIt({ data }, without))
    assert.ok(!holdsIt({ data: [entry('user', 'nobody')] }, { user: '' }))
  })

  it('a whole one, and single entries that take the place of its keys', () => {
    const spec = { dataFrom: [{ extract: { key: 'db' } }] }
    assert.ok(holdsIt(spec, { username: 'app', password: 'new', port: '5432', more: 'of somebody else' }))
    assert.ok(!holdsIt(spec, { username: 'app', password: 'old', port: '5432' }))
    assert.ok(holdsIt({ ...spec, data: [entry('port', 'username')] }, { username: 'app', password: 'new', port: 'app' }))
  })

  /** What stores that keep the bytes write (AWS), and what stores that parse the value write (webhook, Vault). */
  for (const [literal, kept, parsed] of [
    ['1.50', '1.50', '1.5'],
    ['1e3', '1e3', '1000'],
    ['-2.5E-7', '-2.5E-7', '-0.00000025'],
    ['1e21', '1e21', '1000000000000000000000'],
    ['12345678901234567890', '12345678901234567890', '12345678901234567000'],
    ['0', '0', '0'],
    ['true', 'true', 'true'],
    ['false', 'false', 'false'],
    ['null', '', ''],
    ['""', '', ''],
    ['"1.50"', '1.50', '1.50'],
    ['"\\u00fc\\n\\ud83d\\ude00 <&>"', 'ü\n😀 <&>', 'ü\n😀 <&>'],
    ['{\n  "b": 1.50,\n  "a": [ 1, "<" ]\n}', '{\n  "b": 1.50,\n  "a": [ 1, "<" ]\n}', '{"a":[1,"\\u003c"],"b":1.5}'],
    ['{ "10": null, "9": {} }', '{ "10": null, "9": {} }', '{"10":null,"9":{}}'],
    ['[ ]', '[ ]', '[]'],
  ] as const)
    it(`a field that is written as ${literal}: as the operator writes it, and as nothing else`, () => {
      const text = new SecretText(`{ "username": "app", "other": ${literal} }`)
      const entries = [{ data: [entry('other', 'other')] }, { dataFrom: [{ extract: { key: 'db' } }] }]
      for (const spec of entries) {
        const mapping = mapped(spec)
        assert.ok('keys' in mapping)
        const isHeld = (other: string): boolean => holds(secret({ username: 'app', other }), mapping, text)
        assert.deepEqual([isHeld(kept), isHeld(parsed)], [true, true])
        assert.ok(!isHeld(`${kept} `) && !isHeld('old'))
        if (literal === 'null') assert.ok(!isHeld('null'))
      }
    })

  it('names of fields that no Secret may have: with an underscore for each character, and letters of any script as they are', () => {
    const text = new SecretText('{"a b/c":"1","käse":"2","ok-1._":"3","":"left out"}')
    const mapping = mapped({ dataFrom: [{ extract: { key: 'db' } }] })
    assert.ok('keys' in mapping)
    assert.ok(holds(secret({ a_b_c: '1', käse: '2', 'ok-1._': '3' }), mapping, text))
    assert.ok(!holds(secret({ 'a b/c': '1', käse: '2', 'ok-1._': '3' }), mapping, text))
  })

  it('the same secret by its ARN is the same secret: its entries are compared, too', () => {
    const data = [entry('user', 'username'), entry('pass', 'password', arn)]
    assert.ok(holdsIt({ data }, { user: 'app', pass: 'new' }))
    assert.ok(!holdsIt({ data }, { user: 'app', pass: 'old' }))
    assert.ok(!holdsIt({ data: [entry('user', 'username'), entry('pass', 'password', arn.slice(0, -7))] }, { user: 'app', pass: 'old' }))
    assert.ok(holdsIt({ data: [entry('user', 'username'), entry('key', 'key', 'api')] }, { user: 'app', key: 'of another secret' }))
  })

  for (const [what, spec, says] of [
    ['decodes', { data: [entry('a', 'password', 'db', { decodingStrategy: 'Base64' })] }, /decodes, converts or pins/],
    ['converts', { data: [entry('a', 'password', 'db', { conversionStrategy: 'Unicode' })] }, /decodes, converts or pins/],
    ['pins', { dataFrom: [{ extract: { key: 'db', version: 'uuid/1' } }] }, /decodes, converts or pins/],
    ['renames', { dataFrom: [{ extract: { key: 'db' }, rewrite: [{ regexp: { source: 'a', target: 'b' } }] }] }, /renames or takes a part/],
    ['takes a part', { dataFrom: [{ extract: { key: 'db', property: 'inner' } }] }, /renames or takes a part/],
    ['takes a path', { data: [entry('a', 'inner.password')] }, /is a path/],
    ['finds', { data: [entry('a', 'username')], dataFrom: [{ find: { name: { regexp: 'db' } } }] }, /finds secrets by name/],
    ['reads others', { data: [entry('a', 'x', 'one'), entry('b', 'x', 'two')] }, /none of its entries has the remote key db/],
    ['renders', { target: { template: { data: {} } }, data: [entry('a', 'password')] }, /a template with data/],
  ] as const)
    it(`${what}: not to be computed, in words`, () => {
      const mapping = mapped(spec)
      assert.ok('why' in mapping && says.test(mapping.why), JSON.stringify(mapping))
    })

  it('whether anything that it takes changed', () => {
    const takes = (spec: object) => {
      const mapping = mapped(spec)
      assert.ok('keys' in mapping)
      return takesWhatChanged(mapping, value('new'), value('old'))
    }
    assert.equal(takes({ data: [entry('user', 'username')] }), false)
    assert.equal(takes({ data: [entry('user', 'username'), entry('pass', 'password')] }), true)
    assert.equal(takes({ data: [entry('all')] }), true)
    assert.equal(takes({ dataFrom: [{ extract: { key: 'db' } }] }), true)
  })

  it('a marker stands for one read only', () => {
    const why = (spec: object) => whyNoOneRead(externalSecret(spec), 'db')
    assert.equal(why({ dataFrom: [{ extract: { key: 'db' } }] }), undefined)
    assert.equal(why({ dataFrom: [{ extract: { key: 'db' } }, { extract: { key: 'api' } }] }), undefined)
    assert.match(why({ data: [entry('a', 'password'), entry('b', 'username')] }) ?? '', /one by one/)
    assert.match(why({ data: [entry('a', 'password'), entry('b', 'username', arn)] }) ?? '', /one by one/)
    assert.match(why({ dataFrom: [{ find: {} }] }) ?? '', /finds/)
  })
})

describe('what the operator notes of a sync', () => {
  const mark = markOf(
    { id: 'c1', ref: { store: storeKind('file'), key: 'db', shown: 'file:db', name: 'db' } } as Parameters<typeof markOf>[0],
    'parent all',
  )
  const annotations = { 'external-secrets.io/force-sync': `${mark.key.slice(-12)}=c1` }
  const noted = (algorithm: string, generation = 3) =>
    `${generation}-${createHash(algorithm)
      .update(`{annotations:${mapText(annotations)} labels:map[]}`)
      .digest('hex')}`
  const synced = (syncedResourceVersion: string) =>
    isSynced(asExternalSecret({ metadata: { name: 'db', generation: 3, annotations }, spec: {}, status: { syncedResourceVersion } }), mark)

  it('recomputed where nothing else says it: the form since 0.16.2, the one before, and no other', () => {
    assert.ok(synced(noted('sha3-224')))
    assert.ok(synced(noted('md5')))
    assert.ok(!synced(noted('sha3-224', 2)))
    assert.ok(!synced(noted('sha1')))
    assert.ok(!synced(''))
    assert.ok(!synced(`3-${'0'.repeat(56)}`))
  })
})
