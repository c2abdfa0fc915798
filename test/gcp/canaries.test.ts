import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { RotationError } from '../../shared/core/errors.js'
import { canary, writingsOf } from '../harness/cli-canary.js'
import { CanaryWorld } from '../harness/gcp-canaries.js'
import { Outlets } from '../harness/outlets.js'

const db = 'gcp:projects/p/secrets/db'
const key = 'projects/123456789012/secrets/db'
const dayMs = 86_400_000

describe('the watcher of what leaves a function', () => {
  it('finds a canary in each writing, on the log, in a header, in a body and in an error', () => {
    const secret = canary('plant')
    for (const [how, form] of writingsOf(secret)) {
      const outlets = new Outlets()
      process.stderr.write(`{"log":"x","why":"${form}"}\n`)
      outlets.note('body', `before ${form} after`)
      outlets.note('headers', JSON.stringify([['x-google-status', form]]))
      outlets.noteError('error', new Error('outside', { cause: new RotationError('internal', `said ${form}`, { next: 'Nothing.' }) }))
      outlets.close()
      const found = outlets.leaks({ secret })
      for (const way of ['stderr', 'body', 'error'])
        assert.ok(
          found.some((line) => line.endsWith(`in ${way}`)),
          `${how}: ${way}`,
        )
      assert.ok(
        found.some((line) => line.endsWith('in headers')),
        `${how}: headers`,
      )
    }
  })

  it('finds base64 for URLs, at each place in a text', () => {
    const secret = canary('plant')
    for (const ahead of ['', 'u', 'u:']) {
      const outlets = new Outlets()
      outlets.note('body', Buffer.from(`${ahead}${secret} and more`).toString('base64url'))
      outlets.close()
      assert.ok(outlets.leaks({ secret }).length > 0, ahead)
    }
  })
})

describe('no secret leaves a function of Google Cloud', () => {
  let one: CanaryWorld
  before(async () => {
    process.setMaxListeners(50)
    process.env.NODE_ENV = 'production' // as where functions run: the framework's server then answers without a stack
    one = await CanaryWorld.open()
  })
  after(async () => {
    delete process.env.NODE_ENV
    await one.close()
  })
  const clean = (): void => {
    one.keepWhatWasSent()
    const found = one.outlets.leaks(one.secretsNow())
    one.outlets.clear()
    one.tasks.tasks.clear()
    assert.deepEqual(found, [])
  }
  const act = (body: object) => one.post('invoke', body)
  const notice = () => one.event({ eventType: 'SECRET_ROTATE', secretId: key, timestamp: new Date(one.world.env.time).toISOString() })
  const look = async (): Promise<void> => {
    await one.post('sweep', { unknown: one.canaries.body })
    await one.tasks.dispatch()
  }
  const everyFunction = async (): Promise<readonly number[]> => {
    const { body } = one.canaries
    const seen = [
      await act({ action: 'rotate', ref: db }),
      await act({ action: 'verify', ref: db }),
      await act({ action: 'status', ref: db }),
      await act({ action: 'retire', ref: db }),
      await act({ action: 'seen', ref: db, consumer: 'web' }),
      await act({ action: 'rotate', ref: 'gcp:pg' }),
      await act({ action: 'verify', ref: 'gcp:pg' }),
      await notice(),
      await one.event({ eventType: 'SECRET_VERSION_ADD', secretId: key, versionId: `${key}/versions/${one.canaries.event}` }),
      await one.post('sweep', { unknown: body }),
      await one.post('work', { id: 'a', ref: db, action: 'check', at: 1, unknown: body }),
      await one.post('work', { id: 'b', ref: 'gcp:projects/p/secrets/pg', action: 'check', at: 1, unknown: body }),
      await one.post('work', { id: 'c', ref: db, action: 'start', at: one.world.env.time }),
      await one.get('/.well-known/jwks.json'),
    ]
    await one.tasks.dispatch()
    return seen.map(({ status }) => status)
  }

  it('that works: from a rotation to the retired login, with a target and a receiver that do what they should', async () => {
    const { world, webhook, target } = one
    await look() // which announces the first value
    const first = await act({ action: 'rotate', ref: db })
    assert.equal(first.status, 200, one.outlets.textOf('stderr'))
    assert.equal((await act({ action: 'verify', ref: db })).status, 200)
    world.env.time += dayMs
    assert.equal((await notice()).status, 204)
    assert.equal(world.double.secrets.get(key)?.versions.length, 3)
    for (let pass = 0; pass < 4; pass++) {
      world.env.time += 20 * dayMs
      await look()
    }
    await everyFunction()
    await one.putSet({ d: one.canaries.privateKey })
    world.env.time += 3_600_000
    await one.get('/jwks.json')
    assert.ok(target.logins.length > 3 && webhook.got.length > 2 && one.tasks.deliveries.length > 3)
    one.keepWhatWasSent()
    const answers = ['sweep: body', 'invoke: body', 'work: body', 'jwks: body', 'rotate: headers', 'sweep: headers']
    for (const way of [...answers, 'stderr', 'tasks', 'webhooks', 'labels and annotations', 'metadata server'])
      assert.ok(one.outlets.textOf(way).length > 2, way)
    assert.match(one.outlets.textOf('stderr'), /"log":"audit"/)
    clean()
  })

  it('that is asked for nonsense', async () => {
    const { body, event } = one.canaries
    for (const name of ['invoke', 'work', 'sweep'] as const)
      for (const text of [
        body,
        `{"action":"rotate","ref":"${body}`,
        JSON.stringify(body),
        JSON.stringify([body]),
        'x'.repeat(20_000) + body,
      ])
        await one.post(name, text)
    for (const asked of [
      { action: body, ref: db },
      { action: 'rotate', ref: db, [body]: body },
      { action: 'rotate', ref: db, emergency: body },
      { action: 'rotate', ref: { body } },
      { action: 'seen', ref: db, consumer: 'web', phase: body },
    ]) {
      assert.equal((await act(asked)).status, 400)
      await one.post('work', { id: 'x', at: 1, ...asked })
    }
    for (const attributes of [
      { eventType: event, secretId: key },
      { eventType: 'SECRET_ROTATE', secretId: event },
      { eventType: 'SECRET_ROTATE', secretId: key, timestamp: event },
      { eventType: 'SECRET_ROTATE', [event]: event },
    ])
      await one.event(attributes)
    await one.rotateHandler({ specversion: '1.0', id: event, type: event, source: event, data: { event } })
    assert.ok(one.outlets.textOf('dead letters').includes('bad_event'))
    for (const path of [`/${encodeURIComponent(body)}`, `/jwks.json?${encodeURIComponent(body)}`]) await one.get(path)
    clean()
  })

  /** From which call on, and which calls fail. */
  const always = [[1, /./]] as const
  const sometimes = [
    [3, /./],
    [1, /^(Add|Update|Disable)/],
    [1, /^Access/],
  ] as const
  for (const code of [3, 5, 7, 9, 13, 14, 16])
    it(`whose store answers ${code} with every secret in its text, at first and later`, async () => {
      const { double, env } = one.world
      for (const [from, only] of code === 7 || code === 14 ? [...always, ...sometimes] : always) {
        env.time += 40 * dayMs
        let calls = 0
        double.fault = ({ name }) => (only.test(name) && ++calls >= from ? { code, message: one.quotes } : undefined)
        const statuses = await everyFunction()
        assert.ok(statuses.some((status) => status >= 400))
        double.fault = () => undefined
        await look()
      }
      clean()
    })

  it('whose target or driver throws every secret, as an error and as anything else', async () => {
    const { target, world } = one
    for (const [at, thrown] of [
      ['target.login', () => new Error(one.targetQuotes, { cause: new Error(one.targetQuotes) })],
      ['target.set', () => one.targetQuotes],
      ['target.login', () => ({ message: one.targetQuotes })],
    ] as const) {
      world.env.time += 40 * dayMs
      target.effects = async (name, effect) => {
        if (name === at) throw thrown()
        return effect()
      }
      await everyFunction()
      target.effects = async (_, effect) => effect()
      await look()
    }
    clean()
  })

  it('whose queue quotes the token and the task, whose receiver quotes the event, and whose metadata server fails', async () => {
    const { tasks, webhook, world, machine } = one
    for (const status of [200, 401, 403, 409, 429, 503]) {
      world.env.time += 40 * dayMs
      tasks.fault = () => ({ says: { status, body: JSON.stringify({ error: { status: one.quotes, message: one.quotes } }) } })
      webhook.answer = ({ body }, response) => response.writeHead(status).end(one.quotes + body)
      await everyFunction()
    }
    tasks.fault = () => undefined
    webhook.answer = (_, response) => response.writeHead(204).end()
    machine.metadata.fault = () => 403
    tasks.wantsToken = 'another'
    await everyFunction()
    machine.metadata.fault = () => undefined
    Object.assign(tasks, { wantsToken: one.canaries.metadataToken })
    clean()
  })

  it('whose values, configuration and public set are broken', async () => {
    const { password, adminPassword, webhookKey, privateKey } = one.canaries
    const good =
      one.world.double.secrets.get('projects/123456789012/secrets/config')?.versions.at(-1)?.data ?? assert.fail('no configuration')
    const broken = [
      `{"password":"${password}`,
      JSON.stringify({ consumers: { web: { kind: webhookKey, keys: [webhookKey] } } }),
      privateKey,
    ]
    for (const text of broken) {
      for (const name of ['config', 'set', 'admin']) await one.put(name, text + adminPassword)
      one.world.env.time += 40 * dayMs
      await everyFunction()
    }
    await one.put('config', Buffer.from(good).toString())
    await one.put('db', `{"engine":"memory-a","password":"${password}`)
    one.world.env.time += 40 * dayMs
    await everyFunction()
    clean()
  })

  it('whose caller gives a secret as the reason of an emergency: nobody else learns it', async () => {
    await one.close()
    one = await CanaryWorld.open()
    const { password } = one.canaries
    const seen = await act({ action: 'rotate', ref: db, emergency: true, reason: `leaked in a chat: ${password}` })
    assert.equal(seen.status, 200)
    assert.match(one.outlets.textOf('stderr'), /leaked in a chat/)
    await look()
    clean()
  })
})
