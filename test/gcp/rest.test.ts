import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { refusedError } from '../../shared/google/refused.js'
import { RestClient } from '../../shared/google/rest.js'
import type { Answer } from '../../shared/google/send.js'
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
    client = new RestClient({ env: new FakeEnv(), service: 'Things', resource: 'projects/p/things/t' })
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

  it('is repeated as what it was, with the same body', async () => {
    double.answer = (_, n) => (n === 1 ? 'cut' : n === 2 ? refusal(503, 'UNAVAILABLE') : { status: 200, body: {} })
    await call({ body: '{"a":2}', method: 'PUT' })
    assert.deepEqual(sent(), Array(3).fill(['PUT', '{"a":2}']))
  })
})
