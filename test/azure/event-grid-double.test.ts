import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { after, before, beforeEach, describe, it } from 'node:test'
import { AzureIdentity } from '../harness/azure-identity.js'
import { EventGridDouble, type GridTopic, gridResource } from '../harness/event-grid.js'

const host = 'changes.westeurope-1.eventgrid.azure.net'
const start = Date.UTC(2026, 0, 5, 12)
const event = { specversion: '1.0', id: '1', source: 'urn:test', type: 'a.b', time: '2026-01-05T12:00:00Z', data: { a: 1 } }
const structured = 'application/cloudevents+json; charset=utf-8'

describe('the double of Event Grid', () => {
  let identity: AzureIdentity
  let double: EventGridDouble
  let topic: GridTopic
  let now = start
  before(async () => {
    identity = await AzureIdentity.open({ now: () => now })
    double = await EventGridDouble.open(identity)
  })
  after(async () => {
    await double.close()
    await identity.close()
  })
  beforeEach(() => {
    now = start
    identity.reset()
    topic = double.makeTopic(host)
  })
  const tokenFor = async (resource: string): Promise<string> => {
    const { IDENTITY_ENDPOINT, IDENTITY_HEADER } = identity.env
    const url = `${IDENTITY_ENDPOINT}?api-version=2019-08-01&resource=${encodeURIComponent(resource)}`
    const answer = await fetch(url, { headers: { 'x-identity-header': IDENTITY_HEADER } })
    return ((await answer.json()) as { access_token: string }).access_token
  }
  interface Sent {
    readonly body?: unknown
    readonly type?: string
    readonly token?: string
    readonly path?: string
    readonly at?: string
    readonly method?: string
  }
  async function send({
    body = event,
    type = structured,
    token,
    path = '/api/events?api-version=2018-01-01',
    at = host,
    method = 'POST',
  }: Sent) {
    const bearer = token ?? (await tokenFor(gridResource))
    const headers = { host: at, 'content-type': type, ...(bearer === '' ? {} : { authorization: `Bearer ${bearer}` }) }
    const sent = request({ host: '127.0.0.1', port: double.port, method, path, headers })
    sent.end(typeof body === 'string' ? body : JSON.stringify(body))
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    answer.resume()
    return answer.statusCode
  }

  it('takes one event, and a batch', async () => {
    assert.equal(await send({}), 200)
    assert.equal(await send({ body: [event, { ...event, id: '2' }], type: 'application/cloudevents-batch+json; charset=UTF-8' }), 200)
    assert.deepEqual(
      topic.taken.map(({ id }) => id),
      ['1', '1', '2'],
    )
  })

  it('takes a token that was issued for Event Grid, while it lasts', async () => {
    assert.equal(await send({ token: '' }), 401)
    assert.equal(await send({ token: 'another' }), 401)
    assert.equal(await send({ token: await tokenFor('https://vault.azure.net') }), 401)
    const token = await tokenFor(gridResource)
    now += 25 * 3_600_000
    assert.equal(await send({ token }), 401)
  })

  it('is there under its address, for a POST with a version', async () => {
    assert.equal(await send({ at: 'other.westeurope-1.eventgrid.azure.net' }), 404)
    assert.equal(await send({ path: '/api/event?api-version=2018-01-01' }), 404)
    assert.equal(await send({ method: 'PUT' }), 404)
    assert.equal(await send({ path: '/api/events' }), 400)
  })

  it('takes what its schema is: the type of the content first, then what every event must have', async () => {
    for (const type of ['application/json', 'application/cloudevents', 'text/plain']) assert.equal(await send({ type }), 415, type)
    const { id, ...nameless } = event
    for (const body of [
      nameless,
      { ...event, specversion: '0.3' },
      { ...event, Upper: 'x' },
      { ...event, time: 'soon' },
      [event],
      '{',
      'null',
    ])
      assert.equal(await send({ body }), 400, JSON.stringify(body))
    assert.equal(await send({ body: event, type: 'application/cloudevents-batch+json' }), 400)
    topic = double.makeTopic(host, { inputSchema: 'EventGridSchema' })
    assert.equal(await send({}), 400)
    assert.deepEqual([topic.taken, id], [[], '1'])
  })

  it('takes a mebibyte, and no more', async () => {
    const pad = (bytes: number) => JSON.stringify({ ...event, data: 'x'.repeat(bytes - JSON.stringify({ ...event, data: '' }).length) })
    assert.equal(await send({ body: pad(1_048_576) }), 200)
    assert.equal(await send({ body: pad(1_048_577) }), 413)
  })
})
