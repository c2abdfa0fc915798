import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { Keyturn } from '../harness/cli-process.js'
import { ConnectProxy } from '../harness/connect-proxy.js'
import { MetadataServer } from '../harness/gcp-metadata.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'
import { Authority } from '../harness/pg-certificates.js'

const hosts = { global: 'secretmanager.googleapis.com', regional: 'secretmanager.europe-west1.rep.googleapis.com' }
const value = '{"api_key": "the-first-value-of-them-all"}'

/** The whole program as it is, with Google's client and Google's host names: only the way to them is another. */
describe('keyturn as a process, with the credentials of the platform', () => {
  const authority = new Authority()
  let double: GcpSecretManagerDouble
  let metadata: MetadataServer
  let proxy: ConnectProxy
  let keyturn: Keyturn
  before(async () => {
    const certificate = authority.issue(Object.values(hosts).map((host) => `DNS:${host}`))
    double = await GcpSecretManagerDouble.open(() => Date.now(), { certificate })
    metadata = await MetadataServer.open()
    proxy = await ConnectProxy.open(double.port)
  })
  after(async () => {
    await proxy?.close()
    await metadata?.close()
    await double?.close()
  })
  beforeEach(async () => {
    double.reset()
    metadata.calls.length = 0
    proxy.asked.length = 0
    keyturn = await Keyturn.open(new URL('../../cli/main.js', import.meta.url))
    keyturn.processes = true
    const ca = join(keyturn.folder, 'ca.pem')
    await writeFile(ca, authority.ca)
    keyturn.env = { grpc_proxy: proxy.url, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: ca, GCE_METADATA_HOST: metadata.host }
  })
  afterEach(async () => {
    assert.ok(!keyturn.said.includes('the-first-value'))
    await keyturn.close()
  })

  it('the metadata server: token and project', async () => {
    double.wantsToken = metadata.token
    await keyturn.ok(['put', 'gcp:db'], { stdin: value })
    assert.deepEqual([...double.secrets.keys()], ['projects/123456789012/secrets/db', 'projects/123456789012/secrets/db--pending'])
    assert.equal((await keyturn.ok(['status', 'gcp:db'])).ref, 'gcp:projects/p/secrets/db')
    assert.ok(metadata.calls.some((path) => path.endsWith('/token')))
    assert.deepEqual([...new Set(proxy.asked)], [`${hosts.global}:443`])
  })

  it('a token that the service does not take', async () => {
    double.wantsToken = 'another'
    const { next } = await keyturn.fails(['status', 'gcp:db'], 'denied')
    assert.ok(next.length > 10)
  })

  it('no credentials at all: Google’s client prints no warning of its own, and every other warning is printed', async (t) => {
    const broken = createServer((request) => void request.socket.destroy())
    await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve))
    t.after(() => broken.close())
    const warning = await keyturn.file("process.emitWarning('of another kind', 'OtherWarning')")
    const host = `127.0.0.1:${(broken.address() as AddressInfo).port}`
    keyturn.env = { ...keyturn.env, GCE_METADATA_HOST: host, HOME: keyturn.folder, NODE_OPTIONS: `--require=${warning}` }
    for (const words of [
      ['status', 'gcp:projects/p/secrets/db'],
      ['--json', 'status', 'gcp:projects/p/secrets/db'],
    ]) {
      const { stdout, stderr } = await keyturn.run(words)
      assert.match(stdout + stderr, /No Google Cloud credentials were found/)
      assert.doesNotMatch(stderr, /MetadataLookupWarning/)
      assert.match(stderr, /OtherWarning: of another kind/)
    }
  })

  it('a regional secret, by the endpoint of its region', async () => {
    double.wantsToken = metadata.token
    const ref = 'gcp:projects/p/locations/europe-west1/secrets/db'
    await keyturn.ok(['put', ref], { stdin: value })
    await keyturn.ok(['adopt', ref, '--rotator', 'random', 'form=api-key', 'spelling=change'])
    assert.equal((await keyturn.ok(['rotate', ref])).outcome, 'published')
    assert.deepEqual([...new Set(proxy.asked)], [`${hosts.regional}:443`])
  })

  it('a key file', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const account = {
      type: 'service_account',
      project_id: 'q',
      private_key_id: 'k1',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: 'rotator@q.iam.gserviceaccount.com',
      client_id: '1',
      token_uri: 'https://oauth2.googleapis.com/token',
    }
    double.wantsToken = (token) => isSigned(token, publicKey.export({ type: 'spki', format: 'pem' }).toString(), account.client_email)
    keyturn.env = { ...keyturn.env, GOOGLE_APPLICATION_CREDENTIALS: await keyturn.file(JSON.stringify(account)) }
    await keyturn.ok(['put', 'gcp:db'], { stdin: value })
    assert.deepEqual([...double.secrets.keys()][0], 'projects/210987654321/secrets/db')
    assert.deepEqual(metadata.calls, [])
  })

  it('a workload identity: a token of another provider, exchanged', async (t) => {
    const exchange = await Exchange.open()
    t.after(() => exchange.close())
    const source = await keyturn.file('the token of the other provider')
    const identity = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/12/locations/global/workloadIdentityPools/ci/providers/ci',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: exchange.url,
      credential_source: { file: source },
    }
    double.wantsToken = exchange.token
    const file = await keyturn.file(JSON.stringify(identity))
    keyturn.env = { ...keyturn.env, GOOGLE_APPLICATION_CREDENTIALS: file, GOOGLE_CLOUD_PROJECT: 'p' }
    await keyturn.ok(['put', 'gcp:db'], { stdin: value })
    assert.match(exchange.asked.join('\n'), /subject_token=the(\+|%20)token(\+|%20)of/)
    assert.ok(!keyturn.said.includes(exchange.token))
  })
})

/** Whether a token is one that the account itself signed, for this service or all of them. */
function isSigned(token: string, publicKey: string, email: string): boolean {
  const [head = '', body = '', signature = ''] = token.split('.')
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { readonly iss?: string }
  const isRight = verify('sha256', Buffer.from(`${head}.${body}`), createPublicKey(publicKey), Buffer.from(signature, 'base64url'))
  return isRight && claims.iss === email
}

/** Gives a token of the platform for one of another provider (RFC 8693). */
class Exchange {
  readonly token = 'ya29.exchanged'
  readonly asked: string[] = []
  readonly #server: Server = createServer(async (request, response) => {
    this.asked.push(await text(request))
    response.writeHead(200, { 'content-type': 'application/json' })
    const issued = {
      access_token: this.token,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: 3600,
    }
    response.end(JSON.stringify(issued))
  })
  static async open(): Promise<Exchange> {
    const exchange = new Exchange()
    await new Promise<void>((resolve) => exchange.#server.listen(0, '127.0.0.1', resolve))
    return exchange
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`
  }
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
