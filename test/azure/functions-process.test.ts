import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { SecretText } from '../../shared/core/secret-text.js'
import { AzurePackage, AzureProject } from '../harness/azure-app.js'
import { type FunctionHost, hostKey, triggerOf } from '../harness/azure-host.js'
import { azuriteSkip } from '../harness/azurite.js'
import { suite } from '../harness/suite.js'

const firstKey = 'the-first-key-0123456789abcdef'
const vault = '/subscriptions/S/resourceGroups/R/providers/Microsoft.KeyVault/vaults/app'

suite(
  'the package of the functions of Azure, under the real library and a stand-in of its host',
  azuriteSkip,
  ({ after, afterEach, before, beforeEach, it }) => {
    let made: AzurePackage
    let project: AzureProject
    let host: FunctionHost | undefined
    before(async () => {
      made = await AzurePackage.make()
      project = await AzureProject.open()
    })
    after(async () => {
      await project?.close()
      await made?.close()
    })
    beforeEach(async () => {
      await project.reset()
      const policy = { 'keyturn-rotator': 'random', 'keyturn-form': 'token', 'keyturn-spelling': 'change' }
      await project.admin().create('key', new SecretText(firstKey), policy)
      project.vault.calls.length = 0
    })
    afterEach(async () => {
      const said = (await host?.stop()) ?? ''
      host = undefined
      assert.ok(!said.includes(firstKey), 'no value is written anywhere')
    })
    const start = async (env: Readonly<Record<string, string>> = {}): Promise<FunctionHost> => {
      host = await project.start(made, env)
      return host
    }
    const versions = () => project.vault.versions('key')
    const newest = () => versions().at(-1)?.id ?? ''
    const event = (type: string, version = newest(), more: object = {}) => ({
      id: 'an-event',
      topic: vault,
      subject: 'key',
      eventType: `Microsoft.KeyVault.${type}`,
      eventTime: new Date().toISOString(),
      data: {
        Id: `https://app.vault.azure.net/secrets/key/${version}`,
        VaultName: 'app',
        ObjectType: 'Secret',
        ObjectName: 'key',
        Version: version,
        ...more,
      },
      dataVersion: '1',
      metadataVersion: '1',
    })
    const settled = async (one: FunctionHost): Promise<void> => {
      for (let quiet = 0; quiet < 3; quiet = one.isQuiet && (await project.waiting()) === 0 ? quiet + 1 : 0) await delay(50)
    }
    const ask = async (one: FunctionHost, body: object, headers: Readonly<Record<string, string>> = { 'x-functions-key': hostKey }) => {
      const answer = await fetch(`${one.url}/invoke`, { method: 'POST', headers, body: JSON.stringify(body) })
      const text = await answer.text()
      assert.ok(!text.includes(firstKey))
      return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Readonly<Record<string, unknown>> }
    }

    it('registers what its host has to know: triggers, schedule, keys and queue', async () => {
      const { functions } = await start({ KEYTURN_QUEUE: 'shop-work' })
      const known = Object.fromEntries(
        functions.map((one) => {
          const { type, schedule, authLevel, methods, route, queueName, connection } = triggerOf(one)
          return [one.name, JSON.parse(JSON.stringify({ type, schedule, authLevel, methods, route, queueName, connection }))]
        }),
      )
      assert.deepEqual(known, {
        rotate: { type: 'eventGridTrigger' },
        propagate: { type: 'eventGridTrigger' },
        sweep: { type: 'timerTrigger', schedule: '0 */5 * * * *' },
        work: { type: 'queueTrigger', queueName: 'shop-work', connection: 'AzureWebJobsStorage' },
        invoke: { type: 'httpTrigger', authLevel: 'function', methods: ['POST'], route: 'invoke' },
      })
    })

    it('a notice of both schemas and spellings rotates once, by way of the queue', async () => {
      const app = await start()
      const { data, eventTime, ...grid } = event('SecretNearExpiry')
      const lower = Object.fromEntries(Object.entries(data).map(([name, value]) => [(name[0] ?? '').toLowerCase() + name.slice(1), value]))
      const cloud = {
        specversion: '1.0',
        id: 'b',
        source: vault,
        subject: 'key',
        type: grid.eventType,
        time: eventTime,
        data: { ...lower, objectType: 'secret' },
      }
      assert.deepEqual(await Promise.all([app.deliver('rotate', [event('SecretNearExpiry')]), app.deliver('rotate', cloud)]), [202, 202])
      await settled(app)
      assert.equal(versions().length, 2)
      assert.match(app.log, /"log":"work_done","ref":"azure:app\/key","action":"start","ends":"over","code":"","outcome":"published/)
    })

    it('a notice of a week ago, and of a version that was replaced, asks for nothing more', async () => {
      const app = await start()
      const old = event('SecretNearExpiry')
      await app.deliver('rotate', [old])
      await settled(app)
      assert.equal(versions().length, 2)
      const replaced = { ...old, eventTime: new Date().toISOString() }
      assert.equal(await app.deliver('rotate', [replaced]), 202)
      await settled(app)
      assert.equal(versions().length, 2, 'told again now, of the version that was replaced')
      const weekAgo = new Date(Date.now() - 7 * 86_400_000).toISOString()
      assert.equal(
        await app.deliver('rotate', [
          { ...old, eventTime: weekAgo },
          { ...old, eventType: 'Microsoft.KeyVault.SecretExpired' },
        ]),
        202,
      )
      await settled(app)
      assert.equal(versions().length, 2)
    })

    it('garbage and what is not ours ends without a call of the vault, and is told by its code', async () => {
      const app = await start()
      const before = project.vault.calls.length
      const garbage = [
        { hello: firstKey },
        'text',
        null,
        [],
        event('SecretNearExpiry', 'no-version'),
        { ...event('SecretNearExpiry'), eventTime: 'soon' },
      ]
      for (const one of garbage) assert.equal(await app.deliver('rotate', [one]), 202)
      const others = [
        event('KeyNearExpiry'),
        event('SecretNewVersionCreated'),
        event('SecretNearExpiry', newest(), { ObjectType: 'Certificate' }),
      ]
      assert.equal(await app.deliver('rotate', others), 202)
      assert.equal(project.vault.calls.length, before)
      assert.equal(app.log.match(/"log":"dead_letter","code":"bad_event","from":"events"/g)?.length, garbage.length)
      assert.equal(await project.waiting('keyturn-work-poison'), garbage.length)
    })

    it('a version that somebody wrote is announced, and one of a staging place is not', async () => {
      const app = await start()
      assert.equal((await ask(app, { action: 'rotate', ref: 'azure:key' })).status, 200)
      const staged = project.vault.versions('key-pending').at(-1)?.id ?? ''
      const place = event('SecretNewVersionCreated', staged, { Id: `https://app.vault.azure.net/secrets/key-pending/${staged}` })
      assert.equal(await app.deliver('propagate', [event('SecretNewVersionCreated'), place]), 202)
      await settled(app)
      assert.equal(app.log.match(/"log":"work_done"/g)?.length, 1)
      assert.match(app.log, /"log":"event_ignored","ref":"azure:app\.vault\.azure\.net\/key-pending"/)
    })

    it('“try later” is never 400, 403 or 413: the event comes again', async () => {
      const app = await start()
      for (const [status, code] of [
        [403, 'Forbidden'],
        [429, 'Throttled'],
        [503, 'ServiceUnavailable'],
      ] as const) {
        project.vault.fault = () => ({ status, code })
        assert.equal(await app.deliver('rotate', [event('SecretNearExpiry')]), 500, String(status))
      }
      project.vault.fault = () => undefined
      assert.equal(await app.deliver('rotate', [event('SecretNearExpiry')]), 202)
      await settled(app)
      assert.equal(versions().length, 2)
    })

    it('invoke does what is asked with a key of the host, and says no more than a code without a right', async () => {
      const app = await start()
      assert.equal((await ask(app, { action: 'status', ref: 'azure:key' }, {})).status, 401)
      const first = await ask(app, { action: 'rotate', ref: 'azure:key' })
      assert.deepEqual([first.status, first.body.outcome, first.body.version], [200, 'published', newest()])
      assert.equal((await ask(app, { action: 'status', ref: 'azure:key' })).body.version, newest())
      assert.deepEqual((await ask(app, { action: 'rotate', ref: 'azure:nothing' })).status, 404)
      assert.deepEqual((await ask(app, { action: 'explode', ref: 'azure:key' })).status, 400)
    })

    it('invoke for principals of Entra asks the platform who calls, and nobody else', async () => {
      for (const blank of [' ', ',', 'everybody']) {
        const open = await start({ KEYTURN_INVOKERS: blank, WEBSITE_AUTH_ENABLED: 'True' })
        assert.equal(
          (await ask(open, { action: 'status', ref: 'azure:key' }, {})).body.field,
          'KEYTURN_INVOKERS',
          'names nobody: nobody gets in',
        )
        await open.stop()
      }
      const caller = '11111111-2222-4333-8444-555555555555'
      const env = { KEYTURN_INVOKERS: caller, WEBSITE_AUTH_ENABLED: 'True', KEYTURN_ACTIONS: 'status' }
      const app = await start(env)
      assert.equal(triggerOf(app.functions.find(({ name }) => name === 'invoke') ?? assert.fail()).authLevel, 'anonymous')
      const as = (id: string) =>
        ask(app, { action: 'status', ref: 'azure:key' }, { 'x-ms-client-principal-id': id, 'x-ms-client-principal-idp': 'aad' })
      assert.deepEqual([(await as(caller)).status, (await as(caller.replace('1', '2'))).status], [200, 403])
      assert.equal(
        (await ask(app, { action: 'rotate', ref: 'azure:key' }, { 'x-ms-client-principal-id': caller, 'x-ms-client-principal-idp': 'aad' }))
          .status,
        403,
      )
      await host?.stop()
      const off = await start({ ...env, WEBSITE_AUTH_ENABLED: '' })
      assert.equal(
        (await ask(off, { action: 'status', ref: 'azure:key' }, { 'x-ms-client-principal-id': caller, 'x-ms-client-principal-idp': 'aad' }))
          .status,
        403,
      )
    })

    it('no event leads to another vault than those of the app', async () => {
      const app = await start()
      for (const host of ['evil.example', '169.254.169.254', 'other.vault.azure.net', '127.0.0.1:8443']) {
        const one = event('SecretNearExpiry', newest(), { Id: `https://${host}/secrets/key/${newest()}` })
        assert.equal(await app.deliver('rotate', [one]), 202)
      }
      assert.equal(project.vault.calls.length, 0)
      assert.equal(app.log.match(/"log":"dead_letter"/g)?.length, 4)
      const withPort = event('SecretNearExpiry', newest(), { Id: `https://APP.vault.azure.net:443/secrets/Key/${newest().toUpperCase()}` })
      assert.equal(await app.deliver('rotate', [withPort]), 202)
      await settled(app)
      assert.equal(versions().length, 2)
    })

    it('work that the store fails of comes again by the queue', async () => {
      let failures = 0
      project.vault.retryAfterSeconds = 0
      project.vault.fault = () => (failures++ < 4 ? 'unavailable' : undefined)
      const app = await start()
      const work = { id: 'a', ref: 'azure:app/key', action: 'start', at: Date.now(), version: newest() }
      const text = Buffer.from(JSON.stringify(work)).toString('base64')
      await project.queues.client().getQueueClient('keyturn-work').sendMessage(text)
      for (let looks = 0; versions().length < 2 && looks < 400; looks++) await delay(50)
      assert.equal(versions().length, 2)
      await settled(app)
      assert.match(app.log, /"log":"work_done","ref":"azure:app\/key","action":"start","ends":"redeliver"/)
    })

    it('asked to end in the middle of a rotation, a worker ends at the border of a step, and another one goes on', async () => {
      const app = await start()
      let release = (): void => {}
      const held = new Promise<void>((resolve) => {
        release = resolve
      })
      let isHeld = false
      project.vault.fault = ({ name, staging }) => {
        if (name !== 'SetSecret' || !staging || isHeld) return undefined
        isHeld = true
        return { held }
      }
      const answer = ask(app, { action: 'rotate', ref: 'azure:key' })
      while (!isHeld) await delay(20)
      const ended = app.worker.terminate()
      await delay(100)
      release()
      assert.equal((await answer).status, 409)
      await ended
      assert.equal(versions().length, 1)
      await app.restart()
      assert.equal((await ask(app, { action: 'rotate', ref: 'azure:key' })).status, 200)
      assert.equal(versions().length, 2)
    })

    it('a wrong setting is told with its name, and stops only what needs it', async () => {
      const app = await start({ KEYTURN_QUEUE: 'X_y' })
      assert.deepEqual(app.functions.map(({ name }) => name).sort(), ['invoke', 'propagate', 'rotate', 'sweep'])
      assert.match(app.log, /"log":"step_failed","code":"bad_config".*"field":"KEYTURN_QUEUE"/)
      assert.equal((await ask(app, { action: 'status', ref: 'azure:key' })).status, 200)
      await app.stop()
      const short = await start({ AzureFunctionsJobHost__functionTimeout: '00:00:10' })
      const { status, body } = await ask(short, { action: 'rotate', ref: 'azure:key' })
      assert.deepEqual([status, body.field], [500, 'AzureFunctionsJobHost__functionTimeout'])
    })

    it('the timer looks over the vaults, and says what it found', async () => {
      const app = await start()
      await app.timer('sweep')
      assert.match(app.log, /"log":"looked","secrets":1,/)
      await settled(app)
    })

    it('a message that nobody can read ends with the poisoned ones, without a word of it', async () => {
      const app = await start()
      const queue = project.queues.client().getQueueClient('keyturn-work')
      for (const text of [firstKey, JSON.stringify({ id: 'x', ref: firstKey, action: 'steal', at: 1 })])
        await queue.sendMessage(Buffer.from(text).toString('base64'))
      await settled(app)
      const { receivedMessageItems: letters } = await project.queues
        .client()
        .getQueueClient('keyturn-work-poison')
        .receiveMessages({ numberOfMessages: 9 })
      const said = letters.map(({ messageText }) => Buffer.from(messageText, 'base64').toString())
      assert.deepEqual(
        said.map((one) => (JSON.parse(one) as { deadLetter: { code: string; from: string } }).deadLetter.code),
        ['bad_event', 'bad_event'],
      )
      assert.ok(!said.join().includes(firstKey))
    })

    it('the public set goes to everybody from an app of its own, which has no other function', async () => {
      const app = await start({ KEYTURN_JWKS: 'azure:set' })
      assert.deepEqual(
        app.functions.map((one) => [one.name, triggerOf(one).authLevel]),
        [['jwks', 'anonymous']],
      )
      assert.equal((await fetch(`${app.url}/jwks.json`)).status, 503)
      const set = {
        keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'k1', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', use: 'sig', alg: 'EdDSA' }],
      }
      project.vault.writeForeign('set', JSON.stringify(set), {})
      const served = await fetch(`${app.url}/.well-known/jwks.json`)
      assert.equal(served.headers.get('content-type'), 'application/jwk-set+json')
      assert.equal(((await served.json()) as typeof set).keys[0]?.kid, 'k1')
    })
  },
)
