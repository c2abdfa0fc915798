import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { CloudTasksDouble } from '../harness/cloud-tasks.js'
import { FakeEnv } from '../harness/fake-env.js'

const queue = 'projects/p/locations/europe-west1/queues/work'
const url = 'https://work.example/do'
const email = 'worker@p.iam.gserviceaccount.com'
const dayMs = 86_400_000

/** A worker that answers as it is told, and notes what it was asked. */
class Worker {
  readonly asked: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = []
  readonly statuses: (number | 'cut')[] = []
  readonly #server: Server
  constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      this.asked.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      const status = this.statuses.shift() ?? 200
      if (status === 'cut') request.socket.destroy()
      else response.writeHead(status).end()
    })
  }
  async open(): Promise<`http://127.0.0.1:${number}`> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
  header = (name: string): readonly unknown[] => this.asked.map(({ headers }) => headers[name])
}

let env: FakeEnv
let double: CloudTasksDouble
let worker: Worker
beforeEach(async () => {
  env = new FakeEnv()
  double = await CloudTasksDouble.open(env.now)
  worker = new Worker()
  double.reaches.set(url, await worker.open())
})
afterEach(async () => {
  await double.close()
  await worker.close()
})

const httpRequest = { url, body: Buffer.from('{"a":1}').toString('base64'), oidcToken: { serviceAccountEmail: email, audience: url } }
const taskOf = (id: string, more: object = {}) => ({ name: `${queue}/tasks/${id}`, httpRequest, ...more })
async function create(body: unknown, headers: Readonly<Record<string, string>> = {}, path = `/v2/${queue}/tasks`) {
  const answer = await fetch(double.endpoint + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${double.wantsToken}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const read = (await answer.json()) as { error?: { status: string; message: string } }
  return { status: answer.status, name: read.error?.status, message: read.error?.message ?? '' }
}
const add = async (id: string, more?: object): Promise<void> => assert.equal((await create({ task: taskOf(id, more) })).status, 200)
const idsOf = (names: readonly { readonly name: string }[]): readonly string[] => names.map(({ name }) => name.split('/').at(-1) ?? '')

describe('the double of Cloud Tasks', () => {
  it('listens on loopback alone, and delivers nowhere else', async () => {
    assert.equal(double.address.address, '127.0.0.1')
    await add('t', { httpRequest: { ...httpRequest, url: 'https://elsewhere.example/' } })
    await assert.rejects(double.dispatch(), /Nothing on loopback stands for/)
  })

  const wrong: Readonly<Record<string, unknown>> = {
    'no JSON': '{',
    'no task': {},
    'an unknown member': { task: taskOf('t', { priority: 1 }) },
    'an unknown member of the request': { task: taskOf('t', { httpRequest: { ...httpRequest, timeout: '1s' } }) },
    'no name': { task: { httpRequest } },
    'a name in another queue': { task: taskOf('t', { name: 'projects/p/locations/europe-west1/queues/other/tasks/t' }) },
    'a name with a dot': { task: taskOf('a.b') },
    'a time in milliseconds': { task: taskOf('t', { scheduleTime: 1 }) },
    'a time without a zone': { task: taskOf('t', { scheduleTime: '2026-01-06T00:00:00' }) },
    'a time after 30 days': { task: taskOf('t', { scheduleTime: new Date(Date.UTC(2026, 0, 5, 12) + 30 * dayMs + 1).toISOString() }) },
    'a short deadline': { task: taskOf('t', { dispatchDeadline: '14s' }) },
    'a long deadline': { task: taskOf('t', { dispatchDeadline: '1801s' }) },
    'a deadline without a unit': { task: taskOf('t', { dispatchDeadline: 900 }) },
    'a URL of another kind': { task: taskOf('t', { httpRequest: { ...httpRequest, url: 'ftp://x' } }) },
    'an unknown method': { task: taskOf('t', { httpRequest: { ...httpRequest, httpMethod: 'post' } }) },
    'a body that is not base64': { task: taskOf('t', { httpRequest: { ...httpRequest, body: '{"a":1}' } }) },
    'a header that is a number': { task: taskOf('t', { httpRequest: { ...httpRequest, headers: { a: 1 } } }) },
    'an account that is not an email': { task: taskOf('t', { httpRequest: { ...httpRequest, oidcToken: { serviceAccountEmail: 'x' } } }) },
    'too much': { task: taskOf('t', { httpRequest: { ...httpRequest, body: 'AAAA'.repeat(26_000) } }) },
  }
  for (const [what, body] of Object.entries(wrong))
    it(`refuses ${what}`, async () => {
      const { status, name } = await create(body)
      assert.deepEqual([status, name, double.tasks.size], [400, 'INVALID_ARGUMENT', 0])
    })

  it('refuses a caller without a token, another path, a queue that is not there, and what is denied', async () => {
    const task = taskOf('t')
    assert.equal((await create({ task }, { authorization: 'Bearer other' })).name, 'UNAUTHENTICATED')
    assert.equal((await create({ task }, {}, '/v2/tasks')).status, 404)
    const other = `/v2/projects/p/locations/europe-west1/queues/other/tasks`
    assert.match((await create({ task: { ...task, name: `${other.slice(4)}/t` } }, {}, other)).message, /^Queue does not exist/)
    double.deny.add('iam.serviceAccounts.actAs')
    assert.match((await create({ task })).message, /"iam\.serviceAccounts\.actAs" for the resource "worker@/)
    double.deny.add('cloudtasks.tasks.create')
    assert.match((await create({ task })).message, /"cloudtasks\.tasks\.create" for the resource "projects\//)
    assert.equal(double.tasks.size, 0)
  })

  it('refuses a name while its task lives, and for hours after it ran', async () => {
    await add('t')
    assert.equal((await create({ task: taskOf('t') })).message, 'Requested entity already exists')
    await double.dispatch()
    env.time += double.tombstoneMs - 1
    assert.match((await create({ task: taskOf('t') })).message, /existed too recently/)
    env.time += 1
    await add('t')
  })

  it('delivers when it is time, with its headers and a token for the audience that its keys prove', async () => {
    await add('t', { scheduleTime: new Date(env.time + 1500).toISOString() })
    assert.deepEqual(await double.dispatch(), [])
    env.time += 1500
    assert.deepEqual(await double.dispatch(), [{ name: `${queue}/tasks/t`, status: 200 }])
    assert.deepEqual(await double.dispatch(), [])
    const [{ headers, body } = { headers: {} as IncomingHttpHeaders, body: '' }] = worker.asked
    assert.equal(body, '{"a":1}')
    assert.deepEqual(
      ['queuename', 'taskname', 'taskretrycount', 'taskexecutioncount', 'tasketa'].map((name) => headers[`x-cloudtasks-${name}`]),
      ['work', 't', '0', '0', (env.time / 1000).toFixed(6)],
    )
    const bearer = headers.authorization?.replace('Bearer ', '') ?? ''
    const keys = createLocalJWKSet({ keys: [...(await double.jwks()).keys] })
    const check = { issuer: 'https://accounts.google.com', audience: url, currentDate: new Date(env.time) }
    assert.equal((await jwtVerify(bearer, keys, check)).payload.email, email)
    await assert.rejects(jwtVerify(bearer, keys, { ...check, audience: 'https://other.example' }))
  })

  it('delivers again after each failure, later each time, until the attempts are over', async () => {
    double.retry = { ...double.retry, attemptsMax: 4, backoffMsMin: 1000 }
    worker.statuses.push(503, 409, 'cut', 500)
    await add('t')
    for (const waitMs of [0, 1000, 2000, 4000]) {
      env.time += waitMs - 1
      if (waitMs > 0) assert.deepEqual(await double.dispatch(), [])
      env.time += 1
      assert.equal((await double.dispatch()).length, 1)
    }
    assert.deepEqual(worker.header('x-cloudtasks-taskretrycount'), ['0', '1', '2', '3'])
    assert.deepEqual(worker.header('x-cloudtasks-taskexecutioncount'), ['0', '0', '1', '1'])
    assert.equal(double.tasks.size, 0)
  })

  it('delivers twice, late and in any order where a test says so, or by its own clock', async () => {
    for (const id of ['a', 'b', 'c']) await add(id)
    const done = await double.dispatch((due) => [...due, ...due].reverse().filter(({ name }) => !name.endsWith('b')))
    assert.deepEqual([idsOf(done), idsOf(double.due)], [['c', 'a', 'c', 'a'], ['b']])
    double.run(1)
    while (double.tasks.size > 0) await new Promise((resolve) => setTimeout(resolve, 1))
    assert.deepEqual(worker.header('x-cloudtasks-taskname'), ['c', 'a', 'c', 'a', 'b'])
  })
})
