import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { Credentials } from '../../shared/azure/credentials.js'
import { codeIn, refusedError } from '../../shared/azure/refused.js'
import { RotationError } from '../../shared/core/errors.js'
import { RestClient } from '../../shared/core/rest/client.js'
import type { Answer } from '../../shared/core/rest/send.js'
import { AzureMachine } from '../harness/azure-machine.js'
import { FakeEnv } from '../harness/fake-env.js'
import { RestDouble } from '../harness/rest-double.js'

const resource = 'https://things.example'
const canary = 'what-the-service-says-and-nobody-repeats'

describe('a call of a REST interface of Azure', () => {
  let machine: AzureMachine
  let double: RestDouble
  let client: RestClient
  before(async () => {
    machine = await AzureMachine.open()
  })
  after(() => machine.close())
  beforeEach(async () => {
    machine.identity.reset()
    machine.startAgain()
    double = await RestDouble.open()
    client = new RestClient({
      env: new FakeEnv(),
      service: 'Things',
      resource: 'the thing t',
      credentials: new Credentials(`${resource}/.default`, 'the thing t'),
    })
  })
  afterEach(() => double.close())
  const about = {
    service: 'Things',
    resource: 'the thing t',
    kind: 'thing',
    permission: 'Microsoft.Things/send/action',
    grant: 'Grant it.',
    make: 'Make it.',
    check: 'Check it.',
    field: 'thing',
  }
  const call = (more: { readonly body?: string; readonly contentType?: string } = {}) =>
    client.call({ url: new URL(`${double.endpoint}/things/t?api-version=1`), ...more }, { call: 'things' }, (one: Answer) =>
      refusedError(one, about),
    )
  const tokens = () => double.calls.map(({ authorization = '' }) => authorization.replace('Bearer ', ''))

  it('has the token of the identity for the service, which the library keeps', async () => {
    await call()
    await call({ body: '{"a":1}' })
    assert.deepEqual(
      machine.identity.calls.map((one) => one.resource),
      [resource],
    )
    assert.deepEqual(
      tokens().map((token) => machine.identity.judge(token, undefined, resource)),
      [true, true],
    )
  })

  it('is a refusal by its status and code, without a word of its text, and asked once', async () => {
    const cases = [
      [400, 'bad_config', 'Check it.'],
      [401, 'denied', 'Grant it.'],
      [403, 'denied', 'Grant it.'],
      [404, 'bad_config', 'Make it.'],
      [410, 'bad_config', 'Make it.'],
      [413, 'bad_config', 'Check it.'],
      [415, 'bad_config', 'Check it.'],
    ] as const
    for (const [status, code, next] of cases) {
      double.calls.length = 0
      double.answer = () => ({ status, body: { error: { code: 'AuthorizationFailed', message: canary } } })
      const cause = await call().catch((thrown: unknown) => thrown)
      assert.ok(cause instanceof RotationError)
      assert.deepEqual([cause.code, cause.next, cause.field], [code, next, 'thing'])
      assert.match(cause.message, new RegExp(`the thing t .*\\(${status} AuthorizationFailed\\)`))
      assert.ok(!inspect(cause).includes(canary))
      assert.equal(double.calls.length, 1)
    }
  })

  it('is repeated where the service is busy or fails, or the connection ends', async () => {
    double.answer = (_, n) => (n === 1 ? 'cut' : { status: [429, 503, 200][n - 2] ?? 200, body: {} })
    await call({ body: '{"a":1}' })
    assert.deepEqual(
      double.calls.map(({ body }) => body),
      Array(4).fill('{"a":1}'),
    )
    double.answer = () => ({ status: 429, body: canary })
    await assert.rejects(call(), { code: 'throttled', message: 'Things asks for fewer calls to the thing t (429).' })
  })

  it('a code is a word of the service: not its status once more, nor a text', () => {
    assert.equal(codeIn('{"error":{"code":"Forbidden"}}'), 'Forbidden')
    for (const body of ['{"error":{"code":"401"}}', `{"error":{"code":"${canary} and"}}`, '{"error":null}', '[]', 'no', ''])
      assert.equal(codeIn(body), '', body)
  })
})
