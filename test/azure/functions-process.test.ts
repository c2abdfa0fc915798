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
      const caller = '11111111-2222-4333-8444-555555555555'
      const env = { KEYTURN_INVOKERS: caller, WEBSITE_AUTH_ENABLED: 'True', KEYTURN_ACTIONS: 'status' }
      const app = await start(env)
      assert.equal(triggerOf(app.functions.find(({ name }) => name === 'invoke') ?? assert.fail()).authLevel, 'anonymous')
      const as = (id: string) => ask(app, { action: 'status', ref: 'azure:key' }, { 'x-ms-client-principal-id': id })
      assert.deepEqual([(await as(caller)).status, (await as(caller.replace('1', '2'))).status], [200, 403])
      assert.equal((await ask(app, { action: 'rotate', ref: 'azure:key' }, { 'x-ms-client-principal-id': caller })).status, 403)
      await host?.stop()
      const off = await start({ ...env, WEBSITE_AUTH_ENABLED: '' })
      assert.equal((await ask(off, { action: 'status', ref: 'azure:key' }, { 'x-ms-client-principal-id': caller })).status, 403)
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
