import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { SecretText } from '../../shared/core/secret-text.js'
import { type Deployed, type FunctionName, functionNames, Packages } from '../harness/gcp-deployed.js'
import { eventHeaders, messageOf } from '../harness/gcp-functions.js'
import { GoogleProject } from '../harness/gcp-project.js'
import type { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

const firstKey = 'the-first-key-0123456789abcdef'

describe('the packages of the functions of Google Cloud, in the framework that runs them there', () => {
  let packages: Packages
  let project: GoogleProject
  let double: GcpSecretManagerDouble
  const hashes = (): Promise<readonly string[]> =>
    Promise.all(
      functionNames.map(async (name) =>
        createHash('sha256')
          .update(await readFile(packages.archive(name)))
          .digest('hex'),
      ),
    )
  before(async () => {
    packages = await Packages.make()
    project = await GoogleProject.open()
    double = project.secrets
  })
  after(async () => {
    await project?.close()
    await packages?.close()
  })
  beforeEach(() => {
    double.reset()
    const secret = {
      replication: { automatic: {} },
      annotations: { 'keyturn-rotator': 'random', 'keyturn-form': 'token', 'keyturn-spelling': 'change' },
    }
    double.do('CreateSecret', { parent: 'projects/p', secretId: 'key', secret })
    double.do('CreateSecret', {
      parent: 'projects/p',
      secretId: 'key--pending',
      secret: { replication: { automatic: {} }, labels: { 'keyturn-role': 'staging' } },
    })
    double.do('AddSecretVersion', { parent: 'projects/p/secrets/key', payload: { data: Buffer.from(new SecretText(firstKey).reveal()) } })
    double.calls.length = 0
  })
  const versions = (): number | undefined => double.secrets.get('projects/123456789012/secrets/key')?.versions.length
  const deployed = (name: FunctionName): Promise<Deployed> => packages.start(name, project.env)

  it('are the same to the byte when they are built again, and have no other cloud and no framework in them', async () => {
    const before = await hashes()
    packages.build()
    assert.deepEqual(await hashes(), before)
    for (const name of functionNames) {
      const code = await readFile(join(packages.folder, `dist/functions/gcp/${name}/index.js`), 'utf8')
      assert.doesNotMatch(code, /@aws-sdk|@azure|sourceMappingURL/)
      assert.match(code, /require\("@google-cloud\/functions-framework"\)/)
      const { dependencies } = JSON.parse(await readFile(join(packages.task(name), 'package.json'), 'utf8')) as { dependencies: object }
      assert.deepEqual(Object.keys(dependencies), ['@google-cloud/functions-framework'])
    }
  })

  it('invoke rotates a secret by the credentials of the platform', async () => {
    const invoke = await deployed('invoke')
    const first = await invoke.post({ action: 'rotate', ref: 'gcp:projects/p/secrets/key' })
    assert.equal(first.status, 200, first.text)
    assert.equal((JSON.parse(first.text) as { version: string }).version, '2')
    const status = await invoke.post({ action: 'status', ref: 'gcp:key' })
    assert.equal((JSON.parse(status.text) as { version: string }).version, '2')
    assert.ok(project.metadata.calls.some((path) => path.endsWith('/token')))
    const said = await invoke.stop()
    for (const text of [first.text, status.text, said]) assert.ok(!text.includes(firstKey))
  })

  it('asked to end in the middle of a rotation, a process ends at the border of a step, and another one goes on', async () => {
    const invoke = await deployed('invoke')
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let isHeld = false
    double.fault = ({ name, staging }) => {
      if (name !== 'AddSecretVersion' || !staging || isHeld) return undefined
      isHeld = true
      return { held }
    }
    const answer = invoke.post({ action: 'rotate', ref: 'gcp:key' }).catch(() => ({ status: 0, text: '' }))
    while (!isHeld) await delay(20)
    const ended = invoke.signal()
    await delay(200)
    release()
    await ended
    assert.notEqual((await answer).status, 200)
    assert.equal(versions(), 1)
    const next = await deployed('invoke')
    const again = await next.post({ action: 'rotate', ref: 'gcp:key' })
    assert.equal(again.status, 200, again.text)
    assert.equal(versions(), 2)
    await next.stop()
  })

  it('events: garbage and own noise reach no call, and no answer says more than a code', async () => {
    const rotate = await deployed('rotate')
    const noise = await rotate.post(messageOf({ eventType: 'SECRET_UPDATE', secretId: 'projects/p/secrets/key' }), eventHeaders('1'))
    const garbage = await rotate.post({ hello: firstKey }, eventHeaders('2'))
    assert.deepEqual([noise.status, garbage.status, garbage.text], [204, 204, ''])
    assert.equal(double.calls.length, 0)
    assert.equal((await rotate.stop()).match(/"log":"dead_letter"/g)?.length, 1)
  })

  it('a notice rotates, and what follows goes by Cloud Tasks, under its own name and by TLS, to the work', async () => {
    const [rotate, work] = await Promise.all([deployed('rotate'), deployed('work')])
    project.workIsAt(work.url)
    const notice = messageOf({ eventType: 'SECRET_ROTATE', secretId: 'projects/p/secrets/key', timestamp: new Date().toISOString() })
    assert.equal((await rotate.post(notice, eventHeaders('1'))).status, 204)
    assert.equal(versions(), 2)
    assert.deepEqual(
      project.tasks.calls.map(({ status }) => status),
      [200],
    )
    assert.deepEqual(
      (await project.tasks.dispatch()).map(({ status }) => status),
      [200],
    )
    await rotate.stop()
    assert.match(
      await work.stop(),
      /"log":"work_done","ref":"gcp:projects\/p\/secrets\/key","action":"announce","ends":"over","code":"","outcome":"announced"/,
    )
  })

  it('a push of a subscription is an event for rotate, although the platform takes the function for one of HTTP', async () => {
    const rotate = await deployed('rotate')
    const push = (attributes: Readonly<Record<string, string>>) =>
      rotate.post(messageOf(attributes), {}, '/projects/p/topics/keyturn-notices')
    const noise = await push({ eventType: 'SECRET_UPDATE', secretId: 'projects/p/secrets/key' })
    const unreadable = await push({ eventType: 'SECRET_ROTATE', secretId: 'no name' })
    assert.deepEqual([noise.status, unreadable.status, double.calls.length], [204, 204, 0])
    assert.match(await rotate.stop(), /"field":"data\.message\.attributes\.secretId"/)
  })

  it('the public set goes to everybody, and its failures say nothing', async () => {
    const jwks = await packages.start('jwks', { ...project.env, KEYTURN_JWKS: 'gcp:set' })
    assert.equal((await fetch(`${jwks.url}/jwks.json`)).status, 503)
    double.do('CreateSecret', { parent: 'projects/p', secretId: 'set', secret: { replication: { automatic: {} } } })
    const set = {
      keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'k1', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', use: 'sig', alg: 'EdDSA' }],
    }
    double.do('AddSecretVersion', { parent: 'projects/p/secrets/set', payload: { data: Buffer.from(JSON.stringify(set)) } })
    const served = await fetch(`${jwks.url}/.well-known/jwks.json`)
    assert.equal(served.status, 200)
    assert.equal(((await served.json()) as typeof set).keys[0]?.kid, 'k1')
    await jwks.stop()
  })
})
