import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import { MetadataServer } from '../harness/gcp-metadata.js'
import { Authority } from '../harness/pg-certificates.js'

/** The client reads GRPC_DEFAULT_SSL_ROOTS_FILE_PATH when it is loaded: what follows from it is loaded after that is set. */
const folder = mkdtempSync(join(tmpdir(), 'keyturn-gcp-'))
const authority = new Authority()
const certificate = authority.issue(['DNS:localhost', 'IP:127.0.0.1'])
writeFileSync(join(folder, 'ca.pem'), authority.ca)
process.env.GRPC_DEFAULT_SSL_ROOTS_FILE_PATH = join(folder, 'ca.pem')

const open = async () => {
  const { GcpSecretManagerDouble } = await import('../harness/gcp-secret-manager.js')
  const double = await GcpSecretManagerDouble.open(() => Date.UTC(2026, 0, 5, 12), { certificate })
  return { double, metadata: await MetadataServer.open() }
}
let world: Awaited<ReturnType<typeof open>>
let client: SecretManagerServiceClient
const parent = 'projects/p'

before(async () => {
  world = await open()
  process.env.GCE_METADATA_HOST = world.metadata.host
  delete process.env.METADATA_SERVER_DETECTION
})
after(async () => {
  await world.double.close()
  await world.metadata.close()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  world.double.reset()
  world.metadata.calls.length = 0
})
const connect = async () => {
  const { SecretManagerServiceClient: Client } = await import('@google-cloud/secret-manager')
  client = new Client({ apiEndpoint: 'localhost', port: world.double.port })
  return client
}

describe('the default credentials of a machine', () => {
  it('the unmodified client takes project and token from the metadata server, and carries the token over TLS', async () => {
    world.double.wantsToken = world.metadata.token
    await connect()
    const [secrets] = await client.listSecrets({ parent })
    assert.deepEqual(secrets, [])
    assert.equal(await client.getProjectId(), 'p')
    const { client_email: email } = await client.auth.getCredentials()
    assert.equal(email, 'rotator@p.iam.gserviceaccount.com')
    const of = '/computeMetadata/v1/instance/service-accounts/default/token'
    assert.equal(world.metadata.calls.filter((path) => path === of).length, 1, 'a token is kept until it ends')
    await client.close()
  })

  it('a token that the service does not take is UNAUTHENTICATED', async () => {
    world.double.wantsToken = 'another'
    await connect()
    await assert.rejects(client.listSecrets({ parent }), { code: 16 })
    await client.close()
  })

  it('a machine without a service account fails before any call', async () => {
    world.metadata.hasAccount = false
    await connect()
    await assert.rejects(client.listSecrets({ parent }))
    assert.equal(world.double.count(), 0)
    world.metadata.hasAccount = true
    await client.close()
  })

  it('a server whose certificate nobody vouches for is not talked to', async () => {
    const { GcpSecretManagerDouble } = await import('../harness/gcp-secret-manager.js')
    const stranger = await GcpSecretManagerDouble.open(() => 0, { certificate: new Authority().issue(['DNS:localhost']) })
    const { SecretManagerServiceClient: Client } = await import('@google-cloud/secret-manager')
    const other = new Client({ apiEndpoint: 'localhost', port: stranger.port })
    await assert.rejects(other.listSecrets({ parent }, { timeout: 3000 }))
    assert.equal(stranger.count(), 0)
    await other.close()
    await stranger.close()
  })

  it('answers only who says that it asks a metadata server, and nothing that it does not have', async () => {
    const ask = (path: string, headers: Record<string, string> = { 'metadata-flavor': 'Google' }) =>
      fetch(`http://${world.metadata.host}/computeMetadata/v1/${path}`, { headers })
    const account = 'instance/service-accounts/default'
    assert.equal((await ask(`${account}/email`, {})).status, 403)
    assert.equal(await (await ask(`${account}/email`)).text(), 'rotator@p.iam.gserviceaccount.com')
    assert.equal(await (await ask('project/numeric-project-id')).text(), '123456789012')
    assert.equal(await (await ask(`${account}/identity?audience=vault/app`)).text(), 'identity.of.vault/app')
    assert.equal((await ask(`${account}/nonsense`)).status, 404)
    world.metadata.fault = (path) => (path.endsWith('/token') ? 503 : undefined)
    assert.equal((await ask(`${account}/token`)).status, 503)
    world.metadata.fault = () => undefined
  })
})
