import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { CloudTasks } from '../../functions/gcp/tasks.js'
import { RotationError } from '../../shared/core/errors.js'
import { deriveWorkId } from '../../shared/core/ids.js'
import type { Work } from '../../shared/core/ports/queue.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { CloudTasksDouble, type Fault } from '../harness/cloud-tasks.js'
import { FakeEnv } from '../harness/fake-env.js'
import { GoogleMachine } from '../harness/gcp-machine.js'

const queue = 'projects/p/locations/europe-west1/queues/work'
const url = 'https://work-abc.a.run.app/work'
const account = 'worker@p.iam.gserviceaccount.com'
const token = 'ya29.CANARY-of-the-token'
const hourMs = 3_600_000
const ref = { store: 'gcp', key: 'projects/p/secrets/db', shown: 'gcp:projects/p/secrets/db' } as SecretRef
const workOf = (cause = 'look 1'): Work => ({ id: deriveWorkId(ref, 'start', cause), ref: ref.shown, action: 'start', at: 1 })

/** An environment that notes its pauses. */
class PausedEnv extends FakeEnv {
  readonly pauses: number[] = []
  override sleep = async (ms: number): Promise<void> => {
    this.pauses.push(ms)
    this.time += ms
  }
}

let machine: GoogleMachine
let double: CloudTasksDouble
let env: PausedEnv
before(async () => {
  machine = await GoogleMachine.open()
})
after(() => machine.close())
beforeEach(async () => {
  env = new PausedEnv()
  double = await CloudTasksDouble.open(env.now)
  double.wantsToken = token
  Object.assign(machine.metadata, { token, hasAccount: true, fault: () => undefined })
  machine.metadata.calls.length = 0
  machine.useMetadataAt(machine.metadata.host)
})
afterEach(() => double.close())

const open = (more: Partial<ConstructorParameters<typeof CloudTasks>[0]> = {}): CloudTasks =>
  new CloudTasks({ queue, url, account, env, endpoint: double.endpoint, ...more })
const failing = async (sent: Promise<void>): Promise<RotationError> => {
  const cause: unknown = await sent.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(cause instanceof RotationError, inspect(cause))
  return cause
}
const says = (status: number, name: string, message: string): Fault => ({
  says: { status, body: JSON.stringify({ error: { code: status, message, status: name } }) },
})
const tokenCalls = (): number => machine.metadata.calls.filter((path) => path.endsWith('/token')).length

describe('work that is sent to Cloud Tasks', () => {
  it('is one task with the name of the work, its JSON as the body, and a token for the worker', async () => {
    const work = workOf()
    await open().send(work, Date.UTC(2026, 0, 6, 1, 2, 3, 4))
    assert.deepEqual(
      double.calls.map(({ path, text }) => ({ path, ...JSON.parse(text) })),
      [
        {
          path: `/v2/${queue}/tasks`,
          task: {
            name: `${queue}/tasks/${work.id}`,
            scheduleTime: '2026-01-06T01:02:03.004Z',
            dispatchDeadline: '900s',
            httpRequest: {
              url,
              httpMethod: 'POST',
              headers: { 'content-type': 'application/json' },
              body: Buffer.from(JSON.stringify(work)).toString('base64'),
              oidcToken: { serviceAccountEmail: account, audience: url },
            },
          },
        },
      ],
    )
    assert.deepEqual(env.lines, [])
  })

  it('names no time where it is for at once', async () => {
    await open().send(workOf())
    assert.equal(JSON.parse(double.calls[0]?.text ?? '').task.scheduleTime, undefined)
    assert.equal(double.due.length, 1)
  })

  it('may wait as long as the queue says, even by a clock that is half an hour ahead', async () => {
    const tasks = open()
    await tasks.send(workOf(), env.time + tasks.delayMsMax + hourMs / 2)
    assert.equal(double.tasks.size, 1)
    assert.equal((await failing(tasks.send(workOf('later'), env.time + tasks.delayMsMax + 2 * hourMs))).code, 'bad_config')
    assert.ok(tasks.delayMsMax > 29 * 24 * hourMs)
  })

  it('counts as sent while a task of its name lives, and while its name is kept after that', async () => {
    const tasks = open()
    await tasks.send(workOf())
    await tasks.send(workOf())
    assert.equal(double.tasks.size, 1)
    const [name = ''] = double.tasks.keys()
    double.tasks.delete(name)
    double.gone.set(name, env.time)
    env.time += double.tombstoneMs - 1
    await tasks.send(workOf())
    assert.equal(double.tasks.size, 0)
    assert.deepEqual(
      double.calls.map(({ status }) => status),
      [200, 409, 409],
    )
    assert.deepEqual([env.lines, env.pauses], [[], []])
    env.time += 1
    await tasks.send(workOf())
    assert.equal(double.tasks.size, 1)
  })

  it('does not count as sent for any other conflict', async () => {
    double.fault = () => says(409, 'ABORTED', 'Aborted by a concurrent change.')
    assert.equal((await failing(open().send(workOf()))).code, 'unavailable')
    double.fault = () => ({ says: { status: 409, body: 'ALREADY_EXISTS' } })
    assert.equal((await failing(open().send(workOf()))).code, 'unavailable')
  })

  it('is one task where the answer was lost: the repetition finds it there', async () => {
    double.fault = (n) => (n === 1 ? 'lost' : undefined)
    await open().send(workOf())
    assert.deepEqual(
      double.calls.map(({ status }) => status),
      [undefined, 409],
    )
    assert.equal(double.tasks.size, 1)
  })

  it('is one task where the answer came too late', async () => {
    let answer = () => {}
    const held = new Promise<void>((resolve) => {
      answer = resolve
    })
    double.fault = (n) => (n === 1 ? { held } : undefined)
    await open({ timeoutMs: 100 }).send(workOf())
    answer()
    assert.deepEqual([double.calls.length, double.tasks.size], [2, 1])
  })
})

describe('a repetition', () => {
  const faults: readonly (readonly [fault: Fault, code: string])[] = [
    [429, 'throttled'],
    [500, 'unavailable'],
    [503, 'unavailable'],
    ['cut', 'unavailable'],
  ]
  for (const [fault, code] of faults) {
    it(`is made three times at most after ${fault}, with pauses that grow`, async () => {
      double.fault = () => fault
      const error = await failing(open().send(workOf()))
      assert.equal(error.code, code)
      assert.equal(double.calls.length, 4)
      const [first = 0, second = 0, third = 0] = env.pauses
      assert.equal(env.pauses.length, 3)
      assert.ok(first >= 250 && first <= 500 && second >= 500 && second <= 1000 && third >= 1000 && third <= 2000, String(env.pauses))
      assert.deepEqual(
        env.lines.map(({ code: line, fields }) => [line, fields.attempt]),
        [1, 2, 3].map((attempt) => ['retry', attempt]),
      )
    })
    it(`succeeds where ${fault} is over by then`, async () => {
      double.fault = (n) => (n <= 3 ? fault : undefined)
      await open().send(workOf())
      assert.deepEqual([double.calls.length, double.tasks.size], [4, 1])
    })
  }

  it('has another pause by chance', async () => {
    double.fault = () => 503
    await failing(open().send(workOf()))
    const other = new PausedEnv('other')
    await failing(open({ env: other }).send(workOf()))
    assert.notDeepEqual(other.pauses, env.pauses)
  })

  it('is not made when the process is asked to end, before a pause or in it', async () => {
    double.fault = () => 503
    const inPause = Object.assign(new PausedEnv(), { sleep: async () => inPause.abort.abort() })
    await failing(open({ env: inPause }).send(workOf()))
    assert.equal(double.calls.length, 1)
    env.abort.abort()
    await failing(open().send(workOf()))
    assert.deepEqual([double.calls.length, env.pauses], [2, []])
  })

  it('is made after each attempt has waited its time, which is ten seconds', async (t) => {
    double.fault = () => ({ held: new Promise(() => {}) })
    const error = await failing(open({ timeoutMs: 50 }).send(workOf()))
    assert.equal(error.code, 'unavailable')
    assert.match(error.message, /no answer within 0.05 s/)
    assert.equal(double.calls.length, 4)
    double.fault = () => undefined
    const timeout = t.mock.method(AbortSignal, 'timeout')
    await open().send(workOf('next'))
    assert.deepEqual(timeout.mock.calls[0]?.arguments, [10_000]) // the ones after it are those of Google's library
  })
})

describe('a refusal', () => {
  const refused = async (prepare: () => void): Promise<RotationError> => {
    prepare()
    const error = await failing(open().send(workOf()))
    assert.deepEqual([double.calls.length, env.pauses], [1, []], 'it is not repeated')
    return error
  }

  it('of the queue names the permission, and the command that grants it', async () => {
    const error = await refused(() => double.deny.add('cloudtasks.tasks.create'))
    assert.deepEqual([error.code, error.field], ['denied', 'KEYTURN_QUEUE'])
    assert.match(error.message, new RegExp(`cloudtasks\\.tasks\\.create is denied on ${queue}`))
    assert.match(error.next, /add-iam-policy-binding work --location europe-west1 --project p .*roles\/cloudtasks\.enqueuer/)
  })
  it('of the account names that permission instead', async () => {
    const error = await refused(() => double.deny.add('iam.serviceAccounts.actAs'))
    assert.deepEqual([error.code, error.field], ['denied', 'KEYTURN_WORK_ACCOUNT'])
    assert.match(error.message, new RegExp(`iam\\.serviceAccounts\\.actAs is denied on ${account}`))
    assert.ok(!/cloudtasks\.tasks\.create/.test(error.message + error.next))
    assert.match(error.next, /roles\/iam\.serviceAccountUser/)
  })
  it('of the token is denied', async () => {
    const error = await refused(() => Object.assign(double, { wantsToken: 'another' }))
    assert.deepEqual([error.code, /401 UNAUTHENTICATED/.test(error.message)], ['denied', true])
  })
  it('because of a queue that is not there has the command that makes one', async () => {
    const error = await refused(() => double.queues.clear())
    assert.deepEqual([error.code, error.field], ['bad_config', 'KEYTURN_QUEUE'])
    assert.match(error.next, /gcloud tasks queues create work --location europe-west1 --project p,/)
  })
  it('because of an API that is off has the command that enables it', async () => {
    const text = 'Cloud Tasks API has not been used in project 1 before or it is disabled. Enable it by visiting …'
    const error = await refused(() => Object.assign(double, { fault: () => says(403, 'PERMISSION_DENIED', text) }))
    assert.deepEqual([error.code, error.field], ['bad_config', 'KEYTURN_QUEUE'])
    assert.match(error.next, /gcloud services enable cloudtasks\.googleapis\.com --project 1,/)
  })
  it('of what was sent is a wrong setting', async () => {
    const error = await failing(open({ account: 'nobody' }).send(workOf()))
    assert.deepEqual([error.code, double.calls.length], ['bad_config', 1])
    assert.match(error.message, /400 INVALID_ARGUMENT/)
  })
  it('by any other status is unavailable', async () => {
    for (const status of [302, 413, 418, 501]) {
      double.fault = () => ({ says: { status, body: '<html>' } })
      assert.equal((await failing(open().send(workOf()))).code, 'unavailable', String(status))
    }
  })
})

describe('an answer', () => {
  const servers: Server[] = []
  const serve = async (listener: Parameters<typeof createServer>[1]): Promise<`http://127.0.0.1:${number}`> => {
    const server = createServer({}, listener)
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  it('that never ends is read up to a limit', async () => {
    let sent = 0
    const endpoint = await serve((_, response) => {
      response.writeHead(403)
      const more = () => {
        sent++
        response.write('x'.repeat(16_384), () => setImmediate(more))
      }
      more()
    })
    assert.equal((await failing(open({ endpoint, timeoutMs: 5000 }).send(workOf()))).code, 'denied')
    assert.ok(sent > 4)
  })

  it('that leads elsewhere is not followed', async () => {
    let asked = 0
    const location = await serve((_, response) => {
      asked++
      response.end('{}')
    })
    double.fault = () => ({ says: { status: 307, body: '', headers: { location } } })
    assert.equal((await failing(open().send(workOf()))).code, 'unavailable')
    assert.equal(asked, 0)
  })

  it('never brings a token or a body into a message or the log, whatever the service says', async () => {
    const work = workOf()
    const sent = Buffer.from(JSON.stringify(work)).toString('base64')
    const quotes = `Bearer ${token} was sent with ${sent}`
    const statuses = [200, 400, 401, 403, 404, 409, 429, 500, 503]
    const all: readonly Fault[] = [...statuses.map((status) => says(status, quotes, quotes)), 'cut', 'lost', 429, 500, 503]
    const tasks = open({ timeoutMs: 500 })
    let errors = 0
    for (const fault of all) {
      double.fault = () => fault
      const thrown: unknown = await tasks.send(work).catch((cause: unknown) => cause)
      errors += thrown === undefined ? 0 : 1
      const shown = inspect(thrown, { depth: 12, showHidden: true }) + JSON.stringify(thrown ?? '')
      assert.ok(!shown.includes(token) && !shown.includes(sent), shown)
    }
    assert.ok(errors >= 12)
    assert.ok(!JSON.stringify(env.lines).includes('CANARY') && !JSON.stringify(env.lines).includes(sent))
    assert.ok(!inspect(tasks, { depth: 12, showHidden: true }).includes(token))
  })
})

describe('the credentials', () => {
  it('come from the metadata server, once for many messages', async () => {
    const tasks = open()
    for (const cause of ['a', 'b', 'c']) await tasks.send(workOf(cause))
    assert.deepEqual([double.tasks.size, tokenCalls()], [3, 1])
    assert.ok(!machine.metadata.calls.some((path) => path.includes('project')))
  })
  it('are asked for again after they were refused', async () => {
    const tasks = open()
    double.wantsToken = 'the next one'
    assert.equal((await failing(tasks.send(workOf()))).code, 'denied')
    machine.metadata.token = 'the next one'
    await tasks.send(workOf())
    assert.equal(tokenCalls(), 2)
  })
  it('are asked for again after there was no answer', async () => {
    const tasks = open({ timeoutMs: 200 })
    for (const status of [503, 429]) {
      machine.metadata.fault = () => status
      env.pauses.length = 0
      const error = await failing(tasks.send(workOf()))
      assert.deepEqual([error.code, double.calls.length, env.pauses.length], ['unavailable', 0, 3])
    }
    machine.metadata.fault = () => undefined
    await tasks.send(workOf())
    assert.equal(double.tasks.size, 1)
  })
  it('are denied on a machine without an account, and where there is no such machine', async () => {
    machine.metadata.hasAccount = false
    for (const host of [machine.metadata.host, undefined]) {
      machine.useMetadataAt(host)
      const error = await failing(open().send(workOf()))
      assert.deepEqual([error.code, double.calls.length, env.pauses], ['denied', 0, []])
      assert.match(error.next, /service account.* gcloud auth application-default login/)
    }
  })
  it('end with the attempt where the metadata server hangs, long before Google’s library gives up', { timeout: 5000 }, async (t) => {
    const hanging = createServer(() => {})
    t.after(() => {
      hanging.closeAllConnections()
      hanging.close()
    })
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve))
    machine.useMetadataAt(`127.0.0.1:${(hanging.address() as AddressInfo).port}`)
    const error = await failing(open({ timeoutMs: 50 }).send(workOf()))
    assert.deepEqual([error.code, env.pauses.length], ['unavailable', 3])
  })
})
