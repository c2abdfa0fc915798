import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createHandler } from '../../functions/aws/jwks.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { AwsWorld } from '../harness/aws-world.js'
import { hasPrivateMember } from '../harness/jwt-parties.js'

const hour = 3_600_000
interface Keys {
  readonly current: { readonly kid: string }
  readonly next: { readonly kid: string }
  readonly previous: { readonly kid: string; readonly notAfter: string } | null
}
/** The value with one key in both places. */
const oneKeyTwice = (text: string): string => {
  const value = JSON.parse(text) as Keys
  return JSON.stringify({ ...value, next: value.current })
}
const tagsOf = (tags: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(tags).map(([key, text]) => [`keyturn-${key}`, text]))

/** What is self-issued through the rotation function, under its role; its companions are written by it, too. */
describe('self-issued credentials in AWS', () => {
  let world: AwsWorld
  let companion = ''
  before(async () => {
    world = await AwsWorld.open({ port: 1 }, { environment: { KEYTURN_CONFIG: 'aws:keyturn-config' } })
    companion = put('jwt-public', '{}')
    world.double.mayList = (id) => id === companion || id === 'jwt-public' // as the role has it for CompanionArns
    const companions = {
      jwks: { content: 'public-set', of: 'aws:jwt', at: 'aws:jwt-public' },
      far: { content: 'copy', of: 'aws:jwt-far', at: 'file:elsewhere', order: 'before' },
    }
    put('keyturn-config', JSON.stringify({ companions }))
  })
  after(() => world?.close())
  const put = (name: string, value: string): string =>
    String(world.double.do('CreateSecret', { Name: name, SecretString: value, ClientRequestToken: world.double.newId() }).ARN)
  const keysOf = (arn: string): Keys => JSON.parse(world.valueOf(arn)) as Keys
  const kidsOf = (text: string): string[] => (JSON.parse(text) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
  const last = () => world.double.events.at(-1)

  it('jwt: each rotation one publication; the public set is current before the keys are; no tag is written', async () => {
    const arn = world.make('jwt', '{}', tagsOf({ rotator: 'jwt', algorithm: 'ES256', companions: 'jwks' }))
    for (let turn = 0; turn < 3; turn++) {
      const from = world.double.calls.length
      await world.rotate(arn)
      assert.equal(last()?.name, 'RotationSucceeded', JSON.stringify(world.double.events.slice(-3)) + world.said.slice(-3).join())
      const { current, next, previous } = keysOf(arn)
      assert.deepEqual(
        kidsOf(world.valueOf(companion)),
        [current, next, previous].flatMap((key) => key?.kid ?? []),
      )
      assert.ok(!hasPrivateMember(world.valueOf(companion)))
      const moved = world.double.calls
        .slice(from)
        .filter(({ name, input }) => name === 'UpdateSecretVersionStage' && input.VersionStage === 'AWSCURRENT')
        .map(({ input }) => String(input.SecretId))
      // The set before the keys; and once more when the key before has an end, which it has not while it signs.
      const isSet = moved.map((one) => one !== arn)
      assert.deepEqual(isSet, previous ? [true, false, true] : [true, false], moved.join())
      const ends = (JSON.parse(world.valueOf(companion)) as { keys: { exp?: number }[] }).keys.map(({ exp }) => exp !== undefined)
      assert.deepEqual(ends, previous ? [false, false, true] : [false, false])
      assert.ok(world.double.calls.slice(from).every(({ name }) => name !== 'TagResource' && name !== 'UntagResource'))
      world.skewMs += 3 * hour
    }
    assert.equal(world.double.find({ SecretId: companion }).rotation.enabled, false)
  })

  it('held while the next key is too young: the attempt throws, and a later one with the same token goes on', async () => {
    const arn = world.make('jwt-young', '{}', tagsOf({ rotator: 'jwt', algorithm: 'ES256' }))
    await world.rotate(arn)
    const before_ = keysOf(arn)
    world.skewMs += hour + 60_000 // past the grace
    const token = await world.rotate(arn)
    assert.match(String(world.double.events.filter(({ name }) => name === 'invoked').at(-1)?.detail), /held: .*may not sign before/)
    assert.deepEqual(keysOf(arn), before_)
    world.skewMs += hour
    await world.again(arn)
    assert.equal(keysOf(arn).current.kid, before_.next.kid)
    assert.ok(world.stagesOf(arn)[token]?.includes('AWSCURRENT'))
  })

  it('random, secret-list and keyring rotate, too', async () => {
    const kinds = {
      api: [{ api_key: 'first' }, { rotator: 'random', form: 'api-key', spelling: 'change', strategy: 'overlap' }],
      cookies: [{ cookie: ['a'.repeat(32)] }, { rotator: 'secret-list' }],
      data: [{ key: 'ab'.repeat(32) }, { rotator: 'keyring' }],
    } as const
    for (const [name, [value, tags]] of Object.entries(kinds)) {
      const arn = world.make(name, JSON.stringify(value), tagsOf(tags))
      await world.rotate(arn)
      assert.equal(last()?.name, 'RotationSucceeded', `${name} ${JSON.stringify(last())}`)
      assert.notDeepEqual(JSON.parse(world.valueOf(arn)), value)
      await announce(world.deps(), `aws:${name}`)
    }
  })

  it('finishSecret right after createSecret: the rotator checks the value itself, also on another instance', async () => {
    /** One key twice, a word that is no API key, a ring without the key that still decrypts. */
    const kinds = {
      'jwt-early': ['{}', { rotator: 'jwt', algorithm: 'ES256' }, oneKeyTwice],
      'api-early': [
        '{"api_key":"first"}',
        { rotator: 'random', form: 'api-key', spelling: 'change', strategy: 'overlap' },
        () => '{"api_key":"a"}',
      ],
      'data-early': [JSON.stringify({ key: 'ab'.repeat(32) }), { rotator: 'keyring' }, () => JSON.stringify({ key: 'cd'.repeat(32) })],
    } as const
    world.double.attemptsMax = 0
    for (const [name, [value, tags, damage]] of Object.entries(kinds)) {
      for (const damaged of [true, false]) {
        const arn = world.make(`${name}-${damaged}`, value, tagsOf(tags))
        const token = await world.rotate(arn)
        const call = (Step: string) => world.invoke({ Step, SecretId: arn, ClientRequestToken: token, RotationToken: 'rt-0123456789' })
        assert.match((await call('finishSecret')) ?? 'done', /bad_event: .*before createSecret/, name)
        assert.equal(await call('createSecret'), undefined, name)
        world.crash()
        const pending = world.double.find({ SecretId: arn }).versions.get(token)
        if (damaged && pending?.value) pending.value = damage(pending.value)
        const end = (await call('finishSecret')) ?? 'done'
        if (damaged) assert.match(end, /bad_event|bad_value/, name)
        else assert.equal(end, 'done', name)
        assert.equal(world.valueOf(arn) === value, damaged, name)
        assert.deepEqual(world.stagesOf(arn)[token]?.includes('AWSPENDING'), true)
      }
    }
    world.double.attemptsMax = 1
  })

  it('a companion that this function cannot reach: nothing is published, by name', async () => {
    const arn = world.make('jwt-far', '{}', tagsOf({ rotator: 'jwt', algorithm: 'ES256', companions: 'far' }))
    await world.rotate(arn)
    assert.match(
      String(world.double.events.filter(({ name }) => name === 'invoked').at(-1)?.detail),
      /bad_config: The companion far \(file:elsewhere\)/,
    )
    assert.equal(world.valueOf(arn), '{}')
    assert.ok(
      !world.double.events.some(
        ({ name, secret, detail }) => name === 'invoked' && secret === 'jwt-far' && /^(set|test|finish)Secret/.test(String(detail)),
      ),
    )
  })

  describe('the function that serves the public set', () => {
    const ask = (more: { method?: string; path?: string; etag?: string; secret?: string } = {}) => {
      const environment = { SECRETS_MANAGER_ENDPOINT: world.double.endpoint, KEYTURN_JWKS: more.secret ?? companion }
      const handler = createHandler(environment, {
        now: () => Date.now() + world.skewMs,
        log: (code, fields) => void world.said.push(`${code} ${JSON.stringify(fields)}`),
      })
      return handler({
        rawPath: more.path ?? '/.well-known/jwks.json',
        headers: more.etag === undefined ? {} : { 'if-none-match': more.etag },
        requestContext: { http: { method: more.method ?? 'GET' } },
      })
    }
    before(() => {
      for (const action of ['DescribeSecret', 'PutSecretValue', 'UpdateSecretVersionStage', 'ListSecretVersionIds', 'TagResource'])
        world.double.deny.add(action)
    })
    after(() => world.double.deny.clear())

    it('reads the companion and nothing else; the key before is in it until its time is over, which takes no write', async () => {
      const from = world.double.calls.length
      const { current, next, previous } = keysOf(String(world.double.find({ SecretId: 'jwt' }).arn))
      const until = Date.parse(previous?.notAfter ?? '') - Date.now()
      world.skewMs = until - 60_000
      const answer = await ask()
      assert.equal(answer.statusCode, 200)
      assert.deepEqual(kidsOf(answer.body), [current.kid, next.kid, previous?.kid])
      assert.ok(!hasPrivateMember(answer.body) && !answer.body.includes('exp'))
      world.skewMs = until + 16 * 60_000 // times of a set are of whole quarters of an hour
      assert.deepEqual(kidsOf((await ask()).body), [current.kid, next.kid])
      const calls = world.double.calls.slice(from).filter(({ name }) => name === 'GetSecretValue')
      assert.ok(calls.some(({ input }) => input.SecretId === companion))
      assert.deepEqual(
        new Set(world.double.calls.slice(from).map(({ name }) => name)),
        new Set(['GetSecretValue', ...calls.map(({ name }) => name)]),
      )
    })

    it('caches are told how long, and answered by ETag', async () => {
      const { headers } = await ask()
      assert.equal(headers['cache-control'], 'public, max-age=300')
      assert.equal(headers['content-type'], 'application/jwk-set+json')
      const again = await ask({ etag: `W/${headers.etag}` })
      assert.deepEqual([again.statusCode, again.body, again.headers.etag], [304, '', headers.etag])
      assert.equal((await ask({ etag: '"other"' })).statusCode, 200)
      const head = await ask({ method: 'HEAD' })
      assert.deepEqual([head.statusCode, head.body, head.headers.etag], [200, '', headers.etag])
    })

    it('while the service does not answer: what a warm instance keeps, for five minutes', async () => {
      const environment = { SECRETS_MANAGER_ENDPOINT: world.double.endpoint, KEYTURN_JWKS: companion }
      const handler = createHandler(environment, { now: () => Date.now() + world.skewMs, log: () => {} })
      const event = { rawPath: '/', headers: {}, requestContext: { http: { method: 'GET' } } }
      assert.equal((await handler(event)).statusCode, 200)
      world.double.deny.add('GetSecretValue')
      world.skewMs += 120_000
      assert.equal((await handler(event)).statusCode, 200)
      world.skewMs += 300_000
      assert.equal((await handler(event)).statusCode, 503)
      world.double.deny.delete('GetSecretValue')
      assert.equal((await handler(event)).statusCode, 200)
    })

    it('anything else: 404, 405, and 503 without a word of why, which stands in the log', async () => {
      assert.equal((await ask({ path: '/etc/passwd' })).statusCode, 404)
      assert.deepEqual([(await ask({ method: 'POST' })).statusCode, (await ask({ method: 'POST' })).headers.allow], [405, 'GET, HEAD'])
      for (const secret of ['aws:nowhere', 'aws:data']) {
        const answer = await ask({ secret })
        assert.deepEqual([answer.statusCode, answer.body], [503, ''])
      }
      assert.ok(world.said.some((line) => line.includes('not_found')) && world.said.some((line) => line.includes('holds no public set')))
    })
  })
})
