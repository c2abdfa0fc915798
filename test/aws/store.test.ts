import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import * as sdk from '@aws-sdk/client-secrets-manager'
import type { Code } from '../../shared/core/ports/errors.js'
import type { Change } from '../../shared/core/ports/notifier.js'
import type { SecretRef, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { changeOf } from '../../shared/lifecycle/decide/publication.js'
import type { AwsSecretsManagerAdmin } from '../../shared/stores/aws-secrets-manager/admin.js'
import { openAws } from '../harness/aws.js'
import { FakeEnv } from '../harness/fake-env.js'
import { type Fault, SecretsManagerDouble } from '../harness/secrets-manager.js'

const doubles: SecretsManagerDouble[] = []
after(() => Promise.all(doubles.map((double) => double.close())))

describe('the store of AWS', () => {
  let double: SecretsManagerDouble
  let store: AwsSecretsManagerAdmin
  let env: FakeEnv
  beforeEach(async () => {
    env = new FakeEnv()
    double = await SecretsManagerDouble.open(env.now)
    doubles.push(double)
    store = openAws(double.endpoint, env)
  })
  const failsWith = async (fault: Fault): Promise<Code> => {
    double.fault = () => fault
    const cause = await store.create('db', new SecretText('first'), {}).then(
      () => assert.fail('it went well'),
      (thrown: unknown) => thrown,
    )
    return store.classify(cause)
  }

  /** By the names in the service's own model, as the SDK exports them. */
  const expected: Readonly<Record<string, Code>> = {
    DecryptionFailure: 'denied',
    EncryptionFailure: 'denied',
    InternalServiceError: 'unavailable',
    InvalidNextTokenException: 'internal',
    InvalidParameterException: 'bad_event',
    InvalidRequestException: 'bad_event',
    LimitExceededException: 'cap_reached',
    MalformedPolicyDocumentException: 'bad_config',
    PreconditionNotMetException: 'conflict',
    PublicPolicyException: 'bad_config',
    ResourceExistsException: 'exists',
    ResourceNotFoundException: 'not_found',
  }
  it('knows every error of the model', () => {
    const model = Object.entries(sdk).flatMap(([name, it]) =>
      typeof it === 'function' && it.prototype instanceof sdk.SecretsManagerServiceException ? [name] : [],
    )
    assert.deepEqual(model.sort(), Object.keys(expected).sort())
  })
  for (const [type, code] of [
    ...Object.entries(expected),
    ...(['ThrottlingException', 'TooManyRequestsException', 'RequestLimitExceeded'] as const).map((name) => [name, 'throttled'] as const),
    ...(['AccessDeniedException', 'ExpiredTokenException', 'UnrecognizedClientException'] as const).map(
      (name) => [name, 'denied'] as const,
    ),
    ['NobodyKnowsException', 'internal'] as const,
  ]) {
    it(`${type} is ${code}`, async () => assert.equal(await failsWith({ type }), code))
  }
  for (const [fault, code] of [
    ['cut', 'unavailable'],
    ['drop', 'unavailable'],
    ['error', 'unavailable'],
  ] as const) {
    it(`an answer that never comes whole (${fault}) is ${code}`, async () => assert.equal(await failsWith(fault), code))
  }
  it('a service that is not there is unavailable, and one without a region is bad_config', async () => {
    const { endpoint } = double
    await double.close()
    doubles.pop()
    const gone = openAws(endpoint, env)
    await assert.rejects(gone.create('db', new SecretText('x'), {}), (cause) => gone.classify(cause) === 'unavailable')
    assert.equal(store.classify(new Error('Region is missing')), 'bad_config')
  })

  it('a secret has one name for other tools, however it is named here', async () => {
    const ref = await store.create('prod/db-2024-abcdef', new SecretText('first'), {})
    assert.match(ref.key, /^arn:/)
    const named = ['prod/db-2024-abcdef', 'aws:prod/db-2024-abcdef', ref.key, `aws:${ref.key}`]
    for (const text of named) assert.deepEqual(await store.resolve(text), ref)
    assert.deepEqual((await store.readCurrent(ref.key)).ref, ref)
    for await (const state of store.list({ managed: false })) assert.deepEqual(state.ref, ref)
    assert.equal(ref.name, 'prod/db-2024-abcdef')
  })

  it('lists over pages, also when only the managed ones are asked for', async () => {
    for (let n = 0; n < 250; n++)
      double.do('CreateSecret', {
        Name: `db-${n}`,
        SecretString: 'first',
        ClientRequestToken: double.newId(),
        ...(n % 2 === 0 ? { Tags: [{ Key: 'keyturn-rotator', Value: 'postgres' }] } : {}),
      })
    for (const [managed, count, pages] of [
      [false, 250, 3],
      [true, 125, 2],
    ] as const) {
      double.calls.length = 0
      const found = new Set<string>()
      for await (const { ref } of store.list({ managed })) found.add(ref.shown)
      assert.deepEqual([found.size, double.count('ListSecrets'), double.calls.length], [count, pages, pages])
    }
  })

  it('reads a history over pages, the versions without a label too, newest first', async () => {
    const ref = await store.create('db', new SecretText('value-0'), {})
    for (let n = 1; n <= 130; n++) {
      env.time += 1000
      double.do('PutSecretValue', { SecretId: ref.key, SecretString: `value-${n}`, ClientRequestToken: double.newId() })
    }
    double.calls.length = 0
    const ids = []
    for await (const { id } of store.history(ref)) ids.push(id)
    assert.equal(ids.length, 131)
    assert.equal(double.count('ListSecretVersionIds'), 2)
    const [newest, ...others] = await Promise.all(
      [ids[0], ids.at(-1)].map(async (id) => (await store.read(ref, id ?? assert.fail())).reveal()),
    )
    assert.deepEqual([newest, ...others], ['value-130', 'value-0'])
  })

  it('tells replicas and the native schedule', async () => {
    const ref = await store.create('db', new SecretText('first'), {})
    const secret = double.find({ SecretId: ref.key })
    secret.replicas.push({ Region: 'eu-central-1', Status: 'InProgress' }, { Region: 'us-east-1', Status: 'InSync' })
    secret.rotation = { enabled: true, functionArn: 'arn:f', rules: { AutomaticallyAfterDays: 30 }, attempts: 0 }
    const { native, drivenBy } = await store.describe(ref)
    assert.deepEqual(native?.replicas, [
      { at: 'eu-central-1', inSync: false },
      { at: 'us-east-1', inSync: true },
    ])
    assert.deepEqual([native?.does, native?.schedule, drivenBy], ['starts', 'every 30 days', 'service'])
    const day = 86_400_000 // the service names the end of the window, and a window of a schedule in days is a day of UTC
    assert.equal(native?.nextAt, (Math.floor(secret.createdAt / day) + 31) * day)
    double.replicate('db')
    assert.ok((await store.describe(ref)).native?.replicas.every(({ inSync }) => inSync))
  })

  const changeNow = async (ref: SecretRef) => {
    const state = await store.describe(ref)
    return { state, change: changeOf(state, state.current ?? assert.fail()) }
  }
  it('a version that is current again by hand is another publication: later, of another id, the same before and after it is announced', async () => {
    const ref = await store.create('db', new SecretText('first'), {})
    const ids: Change[] = []
    const announce = async () => {
      env.time += 60_000
      const before = await changeNow(ref)
      await store.note(before.state, { announced: before.change.version })
      env.time += 60_000
      await store.note((await changeNow(ref)).state, { checkedAt: env.time })
      assert.deepEqual((await changeNow(ref)).change, before.change)
      ids.push(before.change)
      return before.change
    }
    const first = await announce()
    double.do('PutSecretValue', { SecretId: ref.key, SecretString: 'second', ClientRequestToken: double.newId() })
    const second = await announce()
    for (const [to, from] of [
      [first, second],
      [second, first],
      [first, second],
    ] as const) {
      double.do('UpdateSecretVersionStage', {
        SecretId: ref.key,
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: to.version,
        RemoveFromVersionId: from.version,
      })
      assert.deepEqual([(await announce()).cause, ids.at(-1)?.version], ['foreign', to.version])
    }
    assert.equal(new Set(ids.map(({ id }) => id)).size, 5)
    assert.deepEqual(
      ids.map(({ sequence }) => sequence),
      ids.map(({ sequence }) => sequence).sort((a, b) => a - b),
    )
    assert.equal(new Set(ids.map(({ sequence }) => sequence)).size, 5)
  })

  it('what was staged long before it is published counts from its publication, without one call more where it was not', async () => {
    const ref = await store.create('db', new SecretText('first'), {})
    const rotate = async (waitMs: number, publisher: AwsSecretsManagerAdmin) => {
      env.time += 3_600_000
      const wish = { token: double.newId() as Token, kind: 'rotate', holder: 'one', leaseMs: 60_000 } as const
      const claimed = await store.claim(await store.describe(ref), wish)
      const { version } = await store.stage(claimed, new SecretText(wish.token))
      env.time += waitMs
      await publisher.describe(ref)
      double.calls.length = 0
      await publisher.publish(claimed, version)
      return { at: (await publisher.describe(ref)).publishedAt, tagged: double.count('TagResource') }
    }
    assert.deepEqual(await rotate(1000, store), { at: env.time - 1000, tagged: 0 })
    assert.deepEqual(await rotate(7_200_000, store), { at: env.time, tagged: 1 })
    assert.deepEqual(await rotate(7_200_000, openAws(double.endpoint, env)), { at: env.time, tagged: 1 })
    const { state, change } = await changeNow(ref)
    await store.note(state, { announced: change.version })
    assert.deepEqual((await changeNow(ref)).change, change)
    double.fault = (call) => (call.name === 'TagResource' ? { type: 'AccessDeniedException' } : undefined)
    assert.deepEqual(await rotate(7_200_000, store), { at: env.time - 7_200_000, tagged: 1 })
  })

  it('refuses what is another region’s, another service’s, or marked for deletion', async () => {
    const ref = await store.create('db', new SecretText('first'), {})
    const secret = double.find({ SecretId: ref.key })
    const claim = async () =>
      store.claim(await store.describe(ref), { token: double.newId() as Token, kind: 'rotate', holder: 'one', leaseMs: 60_000 })
    secret.owningService = 'rds'
    await assert.rejects(claim(), /managed by rds/)
    delete secret.owningService
    secret.primaryRegion = 'us-east-1'
    await assert.rejects(claim(), /replica; its primary is in us-east-1/)
    delete secret.primaryRegion
    secret.deletedAt = env.time
    await assert.rejects(store.describe(ref), (cause) => store.classify(cause) === 'not_found')
  })
})
