import assert from 'node:assert/strict'
import type { Task } from '../harness/cloud-tasks.js'
import type { Deployed } from '../harness/gcp-deployed.js'
import { GcpFleet } from '../harness/gcp-fleet.js'
import { eventHeaders, messageOf } from '../harness/gcp-functions.js'
import { whyNoPubSub } from '../harness/pubsub.js'
import { suite } from '../harness/suite.js'
import { key, WebhookServer } from '../harness/webhook-server.js'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
const policy = {
  'keyturn-rotator': 'random',
  'keyturn-form': 'token',
  'keyturn-spelling': 'change',
  'keyturn-consumers': 'web',
  'keyturn-every': '30d',
  'keyturn-grace': '1h',
}

suite('what is due is derived from state, and not from a message', whyNoPubSub(), ({ it, before, after, beforeEach, afterEach }) => {
  let fleet: GcpFleet
  let hook: WebhookServer
  let sweeps: readonly Deployed[]
  let works: readonly Deployed[]
  before(async () => {
    fleet = await GcpFleet.open('random')
    hook = await WebhookServer.open()
    const web = {
      kind: 'webhook',
      required: true,
      url: `http://127.0.0.1:${hook.port}/`,
      plaintext: true,
      allow: ['127.0.0.0/8'],
      keys: [key],
    }
    const env = { KEYTURN_CONFIG: 'gcp:config' }
    fleet.addSecret('config', JSON.stringify({ consumers: { web } }), {})
    const start = (name: 'sweep' | 'work') => Promise.all([fleet.start(name, env), fleet.start(name, env)])
    ;[sweeps, works] = await Promise.all([start('sweep'), start('work')])
  })
  after(async () => {
    hook?.close()
    await fleet?.close()
  })
  let count = 0
  let id: string
  beforeEach(async () => {
    id = `key-${++count}`
    fleet.double.fault = () => undefined
    fleet.project.tasks.tasks.clear()
    hook.answer = (_, response) => void response.writeHead(204).end()
    fleet.addSecret(id, `the-first-key-of-${id}-0123456789`, policy, dayMs)
    await look()
  })
  afterEach(() => fleet.double.do('DeleteSecret', { name: `projects/p/secrets/${id}` }))

  const work = (n: 0 | 1): Deployed => works[n] ?? assert.fail('no work')
  const pass = async (ms: number): Promise<void> => {
    fleet.project.aheadMs += ms
    await Promise.all([...sweeps, ...works].map((one) => one.setAhead(fleet.project.aheadMs)))
  }
  const idsOf = (): readonly string[] =>
    hook.got
      .map(({ body }) => JSON.parse(body) as { id: string; subject: string })
      .filter(({ subject }) => subject.endsWith(`/${id}`))
      .map((event) => event.id)
  const tasks = (): readonly Task[] => [...fleet.project.tasks.tasks.values()]
  /** One look, and the work that it found, until nothing is due. */
  const look = async (): Promise<void> => {
    fleet.project.workIsAt(work(0).url)
    assert.equal((await sweeps[0]?.post(''))?.status, 200)
    while ((await fleet.project.tasks.dispatch()).length > 0);
  }
  /** A notice comes to a process, which dies when the new version was added, before it hears of that. */
  const dieAfterAdding = async (): Promise<void> => {
    const rotate = await fleet.start('rotate', { KEYTURN_CONFIG: 'gcp:config' })
    await rotate.setAhead(fleet.project.aheadMs)
    const added = new Promise<void>((resolve) => {
      fleet.double.fault = ({ name, staging }) => {
        if (name !== 'AddSecretVersion' || staging) return undefined
        resolve()
        return { held: new Promise(() => {}) }
      }
    })
    const timestamp = new Date(Date.now() + fleet.project.aheadMs).toISOString()
    const notice = messageOf({ eventType: 'SECRET_ROTATE', secretId: `projects/p/secrets/${id}`, timestamp })
    const answer = rotate.post(notice, eventHeaders('1')).catch(() => undefined)
    await added
    await rotate.signal('SIGKILL')
    assert.equal(await answer, undefined)
    fleet.double.fault = () => undefined
    assert.equal(fleet.secret(id).versions.length, 2)
  }
  const wipe = (): void => {
    const secret = { name: `projects/p/secrets/${id}--pending`, annotations: {} }
    fleet.double.do('UpdateSecret', { secret, updateMask: { paths: ['annotations'] } })
  }

  it('a process that dies between adding a version and hearing of it: one look after the lease, one event, and no other', async () => {
    const before = idsOf().length
    await dieAfterAdding()
    await look()
    assert.equal(idsOf().length, before) // its lease is not over
    await pass(6 * minuteMs)
    await look()
    assert.equal(idsOf().length, before + 1)
    await pass(6 * minuteMs)
    await look()
    assert.equal(idsOf().length, before + 1)
  })

  it('the same with the journal wiped: the same event again, under the same id', async () => {
    await dieAfterAdding()
    wipe()
    await pass(6 * minuteMs)
    await look()
    const first = idsOf().at(-1)
    assert.equal(new Set(idsOf()).size, 2)
    wipe()
    await pass(6 * minuteMs)
    await look()
    assert.equal(idsOf().at(-1), first)
    assert.equal(new Set(idsOf()).size, 2)
  })

  /** Follow-ups that are waiting: announcements of this secret that lie ahead. */
  const waiting = (): readonly Task[] => {
    const now = Date.now() + fleet.project.aheadMs
    return tasks().filter((task) => task.at > now && JSON.parse(bodyOf(task)).ref.endsWith(`/${id}`))
  }
  const bodyOf = ({ body }: Task): string => Buffer.from(body).toString()

  it('two looks at once, work twice at once and out of order: one chain of follow-ups, and the event arrives', async () => {
    hook.answer = (_, response) => void response.writeHead(500).end() // it is told again and again
    await dieAfterAdding()
    await pass(6 * minuteMs)
    const before = new Set(idsOf()).size
    for (let round = 0; round < 6; round++) {
      const looks = await Promise.all(sweeps.map((one) => one.post('')))
      assert.deepEqual([...new Set(looks.map(({ status }) => status))], [200])
      const due = fleet.project.tasks.due.map(bodyOf).reverse()
      await Promise.all(due.flatMap((body) => [work(0).post(body), work(1).post(body)]))
      await fleet.project.tasks.dispatch((all) => [...all].reverse()) // and once more, by the queue itself
      assert.equal(waiting().length, 1, `round ${round}`)
      await pass(Math.max(6 * minuteMs, (waiting()[0]?.at ?? 0) - Date.now() - fleet.project.aheadMs + 1000))
    }
    assert.equal(new Set(idsOf()).size, before + 1)
  })

  it('work that comes a week late brings no event again and no second chain', async () => {
    await dieAfterAdding()
    await pass(6 * minuteMs)
    assert.equal((await sweeps[0]?.post(''))?.status, 200)
    const old = tasks().map(bodyOf)
    assert.ok(old.some((body) => JSON.parse(body).ref.endsWith(`/${id}`)))
    hook.answer = ({ body }, response) => {
      const event = (JSON.parse(body) as { id: string }).id
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ type: 'keyturn.receipt', id: event }))
    }
    await look()
    const ids = new Set(idsOf())
    await pass(7 * dayMs)
    await Promise.all(old.flatMap((body) => [work(0).post(body), work(1).post(body)]))
    assert.deepEqual(new Set(idsOf()), ids)
    assert.ok(waiting().length <= 1, `${waiting().length} follow-ups`)
    assert.equal(fleet.secret(id).versions.length, 2)
  })
})
