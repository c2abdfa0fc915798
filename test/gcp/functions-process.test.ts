import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { SecretText } from '../../shared/core/secret-text.js'
import { checkout, run, unpacked } from '../harness/aws-package.js'
import { ConnectProxy } from '../harness/connect-proxy.js'
import { eventHeaders, messageOf } from '../harness/gcp-functions.js'
import { MetadataServer } from '../harness/gcp-metadata.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'
import { Authority } from '../harness/pg-certificates.js'
import { freePort } from '../harness/postgres-server.js'
import { repository } from '../harness/repository.js'

const names = ['rotate', 'sweep', 'work', 'invoke', 'jwks'] as const
const firstKey = 'the-first-key-0123456789abcdef'

/** A function as it is deployed: its archive, in the framework's own process. */
class Deployed {
  readonly #child: ChildProcess
  readonly #said: Promise<string>
  readonly url: string
  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    if (child.stderr === null) throw new Error('A pipe was asked for.')
    this.#said = text(child.stderr)
    this.url = `http://127.0.0.1:${port}`
  }
  static async start(folder: string, name: string, env: Readonly<Record<string, string>>): Promise<Deployed> {
    const main = join(folder, 'node_modules/@google-cloud/functions-framework/build/src/main.js')
    const signature = name === 'rotate' ? 'cloudevent' : 'http'
    const port = await freePort()
    const words = [main, `--target=${name}`, `--signature-type=${signature}`, `--port=${port}`]
    const given = { PATH: process.env.PATH ?? '', HOME: folder, NODE_ENV: 'production', ...env }
    const child = spawn(process.execPath, words, { cwd: folder, env: given, stdio: ['ignore', 'ignore', 'pipe'] })
    const started = new Deployed(child, port)
    if (await started.#isUp()) return started
    throw new Error(`${name} did not start: ${await started.#said}`)
  }
  async #isUp(): Promise<boolean> {
    for (let wait = 0; wait < 200 && this.#child.exitCode === null; wait++) {
      await delay(50)
      const up = await fetch(this.url, { method: 'DELETE' }).catch(() => undefined)
      if (up !== undefined) return true
    }
    return false
  }
  async post(
    body: unknown,
    headers: Readonly<Record<string, string>> = { authorization: 'Bearer a-token' },
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    return { status: response.status, text: await response.text() }
  }
  signal(): Promise<unknown> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    return ended
  }
  /** What it wrote to its log. */
  async stop(): Promise<string> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.signal()
    return this.#said
  }
}

describe('the packages of the functions of Google Cloud, in the framework that runs them there', () => {
  const authority = new Authority()
  let folder: string
  let double: GcpSecretManagerDouble
  let metadata: MetadataServer
  let proxy: ConnectProxy
  let env: Readonly<Record<string, string>>
  const tasks: Record<string, string> = {}
  const archive = (name: string): string => join(folder, `dist/functions/gcp/${name}.zip`)
  const hashes = (): Promise<readonly string[]> =>
    Promise.all(
      names.map(async (name) =>
        createHash('sha256')
          .update(await readFile(archive(name)))
          .digest('hex'),
      ),
    )
  const build = (): string =>
    run(folder, process.execPath, ['scripts/functions.mjs', 'gcp', '--zip'], { KEYTURN_ROTATORS: 'random,postgres' })
  before(async () => {
    folder = await checkout()
    build()
    for (const name of names) {
      tasks[name] = await unpacked(archive(name))
      await symlink(join(repository, 'node_modules'), join(tasks[name], 'node_modules'))
    }
    double = await GcpSecretManagerDouble.open(() => Date.now(), {
      certificate: authority.issue(['DNS:secretmanager.googleapis.com']),
    })
    metadata = await MetadataServer.open()
    proxy = await ConnectProxy.open(double.port)
    const ca = join(folder, 'ca.pem')
    await writeFile(ca, authority.ca)
    const queue = {
      KEYTURN_QUEUE: 'projects/p/locations/l/queues/q',
      KEYTURN_WORK_URL: 'https://work.example/',
      KEYTURN_WORK_ACCOUNT: 'a@p.iam.gserviceaccount.com',
    }
    env = { grpc_proxy: proxy.url, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: ca, GCE_METADATA_HOST: metadata.host, ...queue }
  })
  after(async () => {
    await proxy?.close()
    await metadata?.close()
    await double?.close()
    for (const task of Object.values(tasks)) await rm(task, { recursive: true })
    await rm(folder, { recursive: true, force: true })
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
  const deployed = (name: string): Promise<Deployed> => Deployed.start(tasks[name] ?? '', name, env)

  it('are the same to the byte when they are built again, and have no other cloud and no framework in them', async () => {
    const before = await hashes()
    build()
    assert.deepEqual(await hashes(), before)
    for (const name of names) {
      const code = await readFile(join(folder, `dist/functions/gcp/${name}/index.js`), 'utf8')
      assert.doesNotMatch(code, /@aws-sdk|@azure|sourceMappingURL/)
      assert.match(code, /require\("@google-cloud\/functions-framework"\)/)
      const { dependencies } = JSON.parse(await readFile(join(tasks[name] ?? '', 'package.json'), 'utf8')) as { dependencies: object }
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
    assert.ok(metadata.calls.some((path) => path.endsWith('/token')))
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
    assert.deepEqual([noise.status, garbage.status, garbage.text], [204, 500, 'Internal Server Error'])
    assert.equal(double.calls.length, 0)
    await rotate.stop()
  })

  it('the public set goes to everybody, and its failures say nothing', async () => {
    const jwks = await Deployed.start(tasks.jwks ?? '', 'jwks', { ...env, KEYTURN_JWKS: 'gcp:set' })
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
