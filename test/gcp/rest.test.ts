import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import { RestClient } from '../../shared/core/rest/client.js'
import type { Answer } from '../../shared/core/rest/send.js'
import { Credentials } from '../../shared/google/credentials.js'
import { refusedError } from '../../shared/google/refused.js'
import { FakeEnv } from '../harness/fake-env.js'
import { GoogleMachine } from '../harness/gcp-machine.js'
import { RestDouble, refusal } from '../harness/rest-double.js'

describe('a call of a REST interface of Google', () => {
  let machine: GoogleMachine
  let double: RestDouble
  let client: RestClient
  before(async () => {
    machine = await GoogleMachine.open()
  })
  after(() => machine.close())
  beforeEach(async () => {
    double = await RestDouble.open()
    client = new RestClient({
      env: new FakeEnv(),
      service: 'Things',
      resource: 'projects/p/things/t',
      credentials: new Credentials('projects/p/things/t'),
    })
  })
  afterEach(() => double.close())
  const about = {
    service: 'Things',
    api: 'things.googleapis.com',
    resource: 'projects/p/things/t',
    kind: 'thing',
    permission: 'things.update',
    grant: 'Grant it.',
    make: 'Make it.',
    check: 'Check it.',
  }
  const call = (more: { readonly body?: string; readonly method?: 'PUT' }) =>
    client.call({ url: new URL(`${double.endpoint}/v1/projects/p/things/t`), ...more }, { call: 'things' }, (one: Answer) =>
      refusedError(one, about),
    )
  const sent = () => double.calls.map(({ method, body }) => [method, body])

  it('is a GET without a body, a POST with one, and a PUT where that is asked for', async () => {
    await call({})
    await call({ body: '{"a":1}' })
    await call({ body: '{"a":2}', method: 'PUT' })
    assert.deepEqual(sent(), [
      ['GET', ''],
      ['POST', '{"a":1}'],
      ['PUT', '{"a":2}'],
    ])
  })

  it('that an API refuses which is off names the project that the answer names: it is asked for in that of the credentials', async () => {
    const said =
      'Things API has not been used in project 123456789012 before or it is disabled. Enable it by visiting https://x/?project=9 .'
    const info = (consumer: string) => [
      { '@type': 'type.googleapis.com/google.rpc.Help', links: [] },
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'SERVICE_DISABLED', metadata: { consumer } },
    ]
    const cases: readonly (readonly [error: object, where: RegExp])[] = [
      [{ message: said, details: info('projects/345678901234') }, /in the project 345678901234, .* --project 345678901234,/],
      [{ message: 'no', details: info('projects/345678901234') }, /--project 345678901234,/],
      [{ message: said, details: info('projects/$(x)') }, /--project 123456789012,/],
      [{ message: said, errors: [{ reason: 'accessNotConfigured' }] }, /--project 123456789012,/],
      [{ message: 'no', errors: [{ reason: 'accessNotConfigured' }] }, /in the project of the credentials, .* --project PROJECT,/],
      [{ message: said.replace('123456789012', 'a b') }, /in the project of the credentials/],
    ]
    for (const [error, where] of cases) {
      double.answer = () => ({ status: 403, body: { error: { code: 403, status: 'PERMISSION_DENIED', ...error } } })
      const cause = await call({}).catch((thrown: unknown) => thrown)
      assert.ok(cause instanceof RotationError)
      assert.equal(cause.code, 'bad_config')
      assert.match(`${cause.message} ${cause.next}`, where)
      assert.doesNotMatch(`${cause.message} ${cause.next}`, /--project p\b|visiting|\$\(x\)/)
    }
  })

  it('that is refused for want of a project in the credentials of a person says how to name one', async () => {
    const message =
      'Your application is authenticating by using local Application Default Credentials. The things.googleapis.com API requires a quota project, which is not set by default.'
    const details = [{ reason: 'SERVICE_DISABLED', metadata: { consumer: 'projects/764086051850' } }]
    double.answer = () => ({ status: 403, body: { error: { code: 403, status: 'PERMISSION_DENIED', message, details } } })
    await assert.rejects(call({}), (cause: unknown) => {
      assert.ok(cause instanceof RotationError)
      assert.match(cause.next, /gcloud auth application-default set-quota-project PROJECT, with .* things\.googleapis\.com is enabled/)
      return cause.code === 'bad_config' && !/764086051850/.test(cause.message + cause.next)
    })
  })

  it('goes on the quota of the project that the credentials name, and of none where they name none', async () => {
    await call({})
    const tokens = await RestDouble.open()
    tokens.answer = () => ({
      status: 200,
      body: {
        access_token: 'a-token',
        expires_in: 3600,
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
      },
    })
    const folder = mkdtempSync(join(tmpdir(), 'keyturn-quota-'))
    const [file, subject] = [join(folder, 'adc.json'), join(folder, 'subject')]
    const source = { credential_source: { file: subject }, subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }
    const form = { type: 'external_account', audience: '//iam', token_url: `${tokens.endpoint}/token`, ...source }
    writeFileSync(subject, 'x')
    writeFileSync(file, JSON.stringify({ ...form, quota_project_id: 'shop-quota' }))
    process.env.GOOGLE_APPLICATION_CREDENTIALS = file
    try {
      client = new RestClient({
        env: new FakeEnv(),
        service: 'Things',
        resource: 'projects/p/things/t',
        credentials: new Credentials('projects/p/things/t'),
      })
      await call({ body: '{"a":1}' })
    } finally {
      delete process.env.GOOGLE_APPLICATION_CREDENTIALS
      rmSync(folder, { recursive: true })
      await tokens.close()
    }
    assert.deepEqual(
      double.calls.map(({ userProject }) => userProject),
      [undefined, 'shop-quota'],
    )
    assert.equal(double.calls[1]?.authorization, 'Bearer a-token')
  })

  it('is repeated as what it was, with the same body', async () => {
    double.answer = (_, n) => (n === 1 ? 'cut' : n === 2 ? refusal(503, 'UNAVAILABLE') : { status: 200, body: {} })
    await call({ body: '{"a":2}', method: 'PUT' })
    assert.deepEqual(sent(), Array(3).fill(['PUT', '{"a":2}']))
  })
})
