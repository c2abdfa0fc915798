import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { CompactSign, importJWK, type JWK, SignJWT } from 'jose'
import type { Context } from '../../shared/core/ports/rotator.js'
import type { Policy, SecretRef, Token } from '../../shared/core/ports/words.js'
import { PublicText } from '../../shared/core/public-key.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { algorithmNames } from '../../shared/rotators/jwt/algorithms.js'
import { create } from '../../shared/rotators/jwt.js'
import { FakeEnv } from '../harness/fake-env.js'
import { ed25519OfRfc8037, rsaOfRfc7517, signatureOfRfc8037, thumbprintOfRfc7638, thumbprintOfRfc8037 } from '../harness/jwt-vectors.js'
import { repository } from '../harness/repository.js'

interface Held {
  readonly kid: string
  readonly alg: string
  readonly notBefore: string
  readonly notAfter: string | null
  readonly private?: JWK
  readonly public?: JWK
}
type Fields = Readonly<Record<'current' | 'next' | 'previous', Held> & Record<'signing_key' | 'public_key' | 'key_id' | 'jwks', string>>

const jwt = create()
const hour = 3_600_000
const ref: SecretRef = { store: storeKind('memory'), key: 'jwt', shown: 'memory:jwt', name: 'jwt' }

/** One secret and its clock: what a rotation makes of it, without a store. */
class Keys {
  readonly env = new FakeEnv()
  policy: Policy
  text: SecretText
  publishedAt: number
  constructor(policy: Policy, value: object = {}) {
    this.policy = policy
    this.text = new SecretText(JSON.stringify(value))
    this.publishedAt = this.env.now()
  }
  context = (more: Partial<Context<unknown>> = {}): Context<unknown> => ({
    ref,
    token: 'token-0123456789-0123456789-abcdef' as Token,
    policy: this.policy,
    deadline: this.env.now() + 60_000,
    publishedAt: this.publishedAt,
    live: [],
    env: this.env,
    current: jwt.parse(this.text, this.policy),
    ...more,
  })
  rotate = async (more: Partial<Context<unknown>> = {}) => {
    const context = this.context(more)
    jwt.check(context)
    const next = jwt.render(this.text, await jwt.propose(context))
    const differences = await jwt.verify(context, jwt.parse(next, this.policy))
    this.text = next
    this.publishedAt = this.env.now()
    return differences
  }
  get fields(): Fields {
    return JSON.parse(this.text.reveal()) as Fields
  }
  get set(): { readonly keys: readonly JWK[] } {
    return JSON.parse(String(jwt.publicHalf?.set(jwt.parse(this.text, this.policy), this.policy, this.publishedAt))) as { keys: JWK[] }
  }
}
const pemOf = (jwk: JWK, type: 'pkcs8' | 'pkcs1' = 'pkcs8') =>
  String(createPrivateKey({ key: jwk, format: 'jwk' }).export({ type, format: 'pem' }))
const es = { 'keyturn-algorithm': 'ES256' }
const code = (expected: string, field?: string) => (cause: unknown) => {
  const { code: found, field: at } = cause as { code?: string; field?: string }
  return found === expected && (field === undefined || at === field)
}

describe('rotator jwt', () => {
  it('an empty value is filled; each rotation moves every key on by one, and the set holds all three', async () => {
    const keys = new Keys(es)
    await keys.rotate()
    const first = keys.fields
    assert.equal(first.previous, null)
    assert.equal(first.current.notAfter, null)
    keys.env.time += 24 * hour
    await keys.rotate()
    const { current, next, previous } = keys.fields
    assert.equal(current.kid, first.next.kid)
    assert.equal(previous.kid, first.current.kid)
    assert.equal(current.notBefore, new Date(keys.env.time).toISOString())
    assert.equal(Date.parse(previous.notAfter ?? ''), keys.env.time + hour + 6 * 60_000)
    assert.equal(Date.parse(next.notBefore), keys.env.time + hour + 6 * 60_000)
    assert.deepEqual(Object.keys(previous.public ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    assert.deepEqual(
      keys.set.keys.map(({ kid }) => kid),
      [current.kid, next.kid, previous.kid],
    )
    assert.equal(new Set([current.kid, next.kid, previous.kid]).size, 3)
  })

  it('is held until the next key was announced for as long as the slowest verifier needs, and until tokens of the one before are over', async () => {
    const keys = new Keys({ ...es, 'keyturn-verifiers': 'refetch ticker=3h', 'keyturn-token-ttl': '8h' })
    await keys.rotate()
    keys.env.time += 3 * hour + 6 * 60_000 - 1
    assert.match(jwt.tooEarly?.(keys.context()) ?? '', /^the next key may not sign before /)
    await assert.rejects(keys.rotate(), code('held'))
    keys.env.time += 1
    assert.equal(jwt.tooEarly?.(keys.context()), undefined)
    await keys.rotate()
    keys.env.time += 4 * hour
    assert.match(jwt.tooEarly?.(keys.context()) ?? '', /^tokens of the previous key are valid until /)
    await assert.rejects(keys.rotate(), code('held'))
    // A slower verifier that is named later counts from the publication that announced the key.
    keys.env.time += 6 * hour
    keys.policy = { ...keys.policy, 'keyturn-verifiers': 'ticker=24h' }
    await assert.rejects(keys.rotate(), code('held'))
    keys.env.time += 24 * hour
    await keys.rotate()
  })

  it('the first rotation of a key that was adopted alone only announces; flat fields and their PEM form stay', async () => {
    const pem = pemOf(rsaOfRfc7517, 'pkcs1')
    const half = String(createPublicKey(pem).export({ type: 'spki', format: 'pem' }))
    const keys = new Keys({}, { issuer: 'temporal', signing_key: pem, public_key: half, key_id: '9f2c41d07ab3e8d1', jwks: '' })
    await keys.rotate()
    const announced = keys.fields
    assert.equal(announced.signing_key, pem)
    assert.equal(announced.key_id, '9f2c41d07ab3e8d1')
    assert.equal(announced.current.kid, '9f2c41d07ab3e8d1')
    assert.equal(jwt.identify(jwt.parse(keys.text, keys.policy)), '9f2c41d07ab3e8d1')
    assert.deepEqual(JSON.parse(announced.jwks), keys.set)
    keys.env.time += 24 * hour
    await keys.rotate()
    const { signing_key, public_key, key_id, jwks, ...rest } = keys.fields
    assert.equal(key_id, announced.next.kid)
    assert.match(signing_key, /^-----BEGIN RSA PRIVATE KEY-----/)
    assert.deepEqual(createPrivateKey(signing_key).export({ format: 'jwk' }), rest.current.private)
    assert.equal(public_key, createPublicKey(signing_key).export({ type: 'spki', format: 'pem' }))
    assert.equal((JSON.parse(jwks) as { keys: JWK[] }).keys.length, 3)
    assert.deepEqual(Object.keys(keys.fields).slice(0, 5), ['issuer', 'signing_key', 'public_key', 'key_id', 'jwks'])
  })

  it('an emergency leaves nothing of the keys that leaked, and says who will refuse for how long', async () => {
    const keys = new Keys({ ...es, 'keyturn-verifiers': 'temporal=1h refetch' })
    await keys.rotate()
    const { current, next } = keys.fields
    const differences = await keys.rotate({ emergency: true })
    for (const left of [current, next]) assert.ok(!keys.text.reveal().includes(left.kid))
    assert.deepEqual(
      differences.map(({ what, fatal }) => `${what} ${fatal}`),
      ['verifier temporal=1h false', 'verifier refetch false'],
    )
    assert.match(differences[0]?.incoming ?? '', / is refused for up to 3600 s$/)
  })

  it('another algorithm, or a verifier that cannot do the next one: announced first, then used', async () => {
    const keys = new Keys({ 'keyturn-algorithm': 'EdDSA' })
    await keys.rotate()
    keys.env.time += 24 * hour
    keys.policy = { ...es, 'keyturn-verifiers': 'temporal' }
    const { kid } = keys.fields.current
    await keys.rotate()
    assert.equal(keys.fields.current.kid, kid)
    assert.equal(keys.fields.next.alg, 'ES256')
    keys.env.time += 24 * hour
    await keys.rotate()
    assert.equal(keys.fields.current.alg, 'ES256')
  })

  it('names what is wrong, and never quotes a key', async () => {
    const policies: readonly (readonly [Policy, string])[] = [
      [{ 'keyturn-algorithm': 'EdDSA', 'keyturn-verifiers': 'temporal=1h' }, 'keyturn-algorithm'],
      [{ 'keyturn-algorithm': 'RS384', 'keyturn-verifiers': 'refetch temporal' }, 'keyturn-algorithm'],
      [{ 'keyturn-every': '1h' }, 'keyturn-every'],
      [{ 'keyturn-every': '2d', 'keyturn-verifiers': 'ticker=48h' }, 'keyturn-every'],
      [{ 'keyturn-verifiers': 'sometimes' }, 'keyturn-verifiers'],
    ]
    for (const [policy, field] of policies) assert.throws(() => jwt.check(new Keys(policy).context()), code('bad_policy', field))
    const keys = new Keys(es)
    await keys.rotate()
    const { current, next } = keys.fields
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
    const values: readonly (readonly [object, string])[] = [
      [{ password: 'Canary-1234' }, 'current'],
      [{ signing_key: 'Canary-1234' }, 'signing_key'],
      [{ current: { ...current, alg: 'HS256' } }, 'current.alg'],
      [{ current: { ...current, alg: 'ES384' } }, 'current.alg'],
      [{ current: { ...current, private: { kty: 'EC', d: 'Canary-1234' } } }, 'current'],
      [{ current: { ...current, alg: 'RS256', private: small.export({ format: 'jwk' }) } }, 'current'],
      [{ signing_key: small.export({ type: 'pkcs8', format: 'pem' }) }, 'signing_key'],
      [{ current: { ...current, private: rsaOfRfc7517 } }, 'current.alg'],
      [{ current, next: { ...next, kid: current.kid } }, 'next'],
      [{ current, previous: { ...current, notAfter: current.notBefore, public: { kty: 'oct', k: 'Canary-1234' } } }, 'previous.public'],
      [{ current: { ...current, notBefore: 'Canary-1234' } }, 'current.notBefore'],
      [{ next }, 'current'],
      [{ signing_key: pemOf(rsaOfRfc7517), public_key: pemOf(ed25519OfRfc8037) }, 'public_key'],
    ]
    for (const [value, field] of values)
      assert.throws(
        () => jwt.parse(new SecretText(JSON.stringify(value)), es),
        (cause) => code('bad_value', field)(cause) && !inspect(cause).includes('Canary'),
        JSON.stringify(field),
      )
    assert.throws(() => jwt.parse(new SecretText(pemOf(rsaOfRfc7517)), es), code('bad_value', 'value'))
  })

  it('the slowest of caches and verifiers counts, and what is on the way, and clocks', async () => {
    for (const [policy, ms] of [
      [{ 'keyturn-max-age': '3d' }, 3 * 24 * hour + 6 * 60_000],
      [{ 'keyturn-verifiers': 'ticker=2d refetch=10m' }, 2 * 24 * hour + 6 * 60_000],
      [{ 'keyturn-propagation': '1d' }, 25 * hour + 60_000],
      [{ 'keyturn-skew': '2h' }, 3 * hour + 5 * 60_000],
    ] as const) {
      const keys = new Keys({ ...es, ...policy })
      await keys.rotate()
      keys.env.time = keys.publishedAt + ms - 1
      assert.match(jwt.tooEarly?.(keys.context()) ?? '', /may not sign before/, JSON.stringify(policy))
      keys.env.time += 1
      assert.equal(jwt.tooEarly?.(keys.context()), undefined, JSON.stringify(policy))
    }
  })

  it('a put of a key that nobody was told of says who refuses it', async () => {
    const keys = new Keys(es)
    await keys.rotate()
    const other = new Keys(es)
    await other.rotate()
    const says = async (text: SecretText) =>
      (await jwt.verify(keys.context(), jwt.parse(text, es))).map(({ what, incoming }) => `${what}: ${incoming}`)
    assert.match((await says(other.text)).join(), /^verifier .* is refused for up to .*tokens: are refused from the publication on$/)
    assert.deepEqual(await says(keys.text), [])
    assert.deepEqual(await says(new SecretText('{}')), ['tokens: are refused from the publication on'])
    keys.env.time += 24 * hour
    await keys.rotate()
    const { previous: _, ...without } = JSON.parse(keys.text.reveal()) as { previous: unknown }
    assert.deepEqual(await says(new SecretText(JSON.stringify(without))), ['tokens: are refused from the publication on'])
    keys.env.time += 24 * hour
    assert.deepEqual(await says(new SecretText(JSON.stringify(without))), [], 'their time is over')
  })

  it('what is published long after it was made: the time of the key before counts from the publication, in the set and for the next rotation', async () => {
    const keys = new Keys(es)
    await keys.rotate()
    keys.env.time += 24 * hour
    await keys.rotate()
    keys.env.time += 12 * hour
    keys.publishedAt = keys.env.time
    const { previous } = keys.fields
    assert.ok(Date.parse(previous.notAfter ?? '') < keys.env.time)
    const exp = Number((keys.set.keys.at(-1) as { exp?: number } | undefined)?.exp) * 1000
    assert.ok(exp >= keys.env.time + hour + 6 * 60_000 && exp <= keys.env.time + hour + 21 * 60_000)
    keys.env.time += hour + 6 * 60_000 - 1
    assert.match(jwt.tooEarly?.(keys.context()) ?? '', /valid until|may not sign/)
    keys.env.time += 1
    assert.equal(jwt.tooEarly?.(keys.context()), undefined)
  })

  it('no text for everybody can hold a private member, whatever is slipped past the types', () => {
    const smuggled = [{ ...rsaOfRfc7517, kid: 'a', alg: 'RS256', use: 'sig' as const, exp: 10 }]
    const text = String(PublicText.ofKeys(smuggled as unknown as Parameters<typeof PublicText.ofKeys>[0]))
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi']) assert.ok(!text.includes(`"${member}"`), member)
    assert.deepEqual(JSON.parse(String(PublicText.servedFrom(text, 9_999))).keys.length, 1)
    assert.deepEqual(JSON.parse(String(PublicText.servedFrom(text, 10_000))).keys, [])
    assert.equal(PublicText.servedFrom('{"keys": 7}', 0), undefined)
    assert.equal(PublicText.servedFrom('no JSON', 0), undefined)
  })
})

describe('rotator jwt, by the standards and by others', () => {
  it('RFC 7638, 3.1 and RFC 8037, A.3: an adopted key without a name is called by its thumbprint', async () => {
    for (const [key, thumbprint] of [
      [rsaOfRfc7517, thumbprintOfRfc7638],
      [ed25519OfRfc8037, thumbprintOfRfc8037],
    ] as const) {
      const keys = new Keys({}, { signing_key: pemOf(key) })
      await keys.rotate()
      assert.equal(keys.fields.current.kid, thumbprint)
      const { kty, n, e, crv, x } = key as JWK
      const alg = kty === 'RSA' ? 'RS256' : 'EdDSA'
      assert.deepEqual(keys.set.keys[0], JSON.parse(JSON.stringify({ kty, kid: thumbprint, alg, use: 'sig', n, e, crv, x })))
    }
  })

  it('RFC 8037, A.4: the key in the value signs as the standard says', async () => {
    const keys = new Keys({}, { signing_key: pemOf(ed25519OfRfc8037) })
    await keys.rotate()
    const key = await importJWK(keys.fields.current.private ?? {}, 'EdDSA')
    const text = new TextEncoder().encode('Example of Ed25519 signing')
    assert.equal(await new CompactSign(text).setProtectedHeader({ alg: 'EdDSA' }).sign(key), signatureOfRfc8037)
  })

  const python = join(repository, '.cache/moto/bin/python')
  const skip = existsSync(python) ? false : 'PyJWT is not installed; test/setup.sh does it where there is Python 3'
  it('PyJWT reads the set and verifies a token of each algorithm, and none whose key is not in it', { skip }, async () => {
    const asked: object[] = []
    for (const algorithm of algorithmNames) {
      const keys = new Keys({ 'keyturn-algorithm': algorithm })
      await keys.rotate()
      const { kid, private: key = {} } = keys.fields.current
      const token = await new SignJWT({ sub: algorithm }).setProtectedHeader({ alg: algorithm, kid }).sign(await importJWK(key, algorithm))
      asked.push({ algorithm, token, set: keys.set })
    }
    const script = `
import json, sys, jwt
for one in json.load(sys.stdin):
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(one["set"]).keys}
    key = keys[jwt.get_unverified_header(one["token"])["kid"]]
    print(jwt.decode(one["token"], key.key, algorithms=[one["algorithm"]])["sub"])
    other = [each for each in keys.values() if each is not key][0]
    try:
        jwt.decode(one["token"], other.key, algorithms=[one["algorithm"]])
        print("accepted by another key")
    except jwt.InvalidSignatureError:
        pass
`
    const { stdout, stderr } = spawnSync(python, ['-c', script], { input: JSON.stringify(asked), encoding: 'utf8' })
    assert.equal(stderr, '')
    assert.deepEqual(stdout.trim().split('\n'), algorithmNames)
  })
})
