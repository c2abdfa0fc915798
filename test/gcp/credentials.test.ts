import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { RotationError } from '../../shared/core/errors.js'
import type { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'
import { Authority } from '../harness/pg-certificates.js'

/** The client reads GRPC_DEFAULT_SSL_ROOTS_FILE_PATH when it is loaded: what follows from it is loaded after that is set. */
const folder = mkdtempSync(join(tmpdir(), 'keyturn-gcp-'))
const authority = new Authority()
writeFileSync(join(folder, 'ca.pem'), authority.ca)
const variable = 'GOOGLE_APPLICATION_CREDENTIALS'
const settings = {
  GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: join(folder, 'ca.pem'),
  HOME: folder,
  CLOUDSDK_CONFIG: folder,
  METADATA_SERVER_DETECTION: 'none',
}
const kept = new Map([variable, ...Object.keys(settings)].map((name) => [name, process.env[name]]))
Object.assign(process.env, settings)

const file = join(folder, 'credentials.json')
/** What a process with this file as its credentials is told. */
async function told(path: string | undefined, port?: number): Promise<RotationError> {
  if (path === undefined) delete process.env[variable]
  else process.env[variable] = path
  const { GcpSecretManagerAdmin } = await import('../../shared/stores/gcp-secret-manager/admin.js')
  const { openClient } = await import('../../shared/stores/gcp-secret-manager/client.js')
  const { SecretManagerServiceClient } = await import('@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js')
  const { FakeEnv } = await import('../harness/fake-env.js')
  const open = port === undefined ? openClient : () => new SecretManagerServiceClient({ apiEndpoint: 'localhost', port })
  const store = new GcpSecretManagerAdmin({ env: new FakeEnv(), project: 'p', open })
  try {
    return await store.resolve('gcp:db').then(
      () => assert.fail('it was done'),
      (cause: RotationError) => {
        assert.equal(cause.name, 'RotationError', String(cause))
        return cause
      },
    )
  } finally {
    await store.close()
  }
}
after(() => {
  for (const [name, value] of kept) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  rmSync(folder, { recursive: true })
})

describe('a file of credentials for Google Cloud that cannot be used', () => {
  const key = { type: 'service_account', project_id: 'p', client_email: 'r@p.iam.gserviceaccount.com' }
  const texts: readonly (readonly [what: string, text: string, why: RegExp])[] = [
    ['broken JSON', '{', /which is not JSON\.$/],
    ['an empty file', '', /which is not JSON\.$/],
    ['JSON without an account', '{"a": 1}', /which is not a credentials file \(it has no client_email\)\.$/],
    ['JSON without a key', JSON.stringify(key), /which is not a credentials file \(it has no private_key\)\.$/],
    ['a list', '[]', /which is not a credentials file/],
    ['null', 'null', /which is not a credentials file\.$/],
    ['a workload identity without a source', '{"type": "external_account", "audience": "//iam"}', /which is not a credentials file\.$/],
  ]
  const next = `Set ${variable} to a readable key file or workload identity file, or unset it and run gcloud auth application-default login.`
  const check = async (path: string, why: RegExp): Promise<void> => {
    const { code, field, message, next: step } = await told(path)
    assert.deepEqual([code, field, step], ['bad_config', variable, next])
    assert.ok(message.startsWith(`${variable} names ${path}, which `), message)
    assert.match(message, why)
  }
  for (const [what, text, why] of texts)
    it(`${what} is a setting that is wrong`, async () => {
      writeFileSync(file, text)
      await check(file, why)
    })
  it('a file that is missing is, too', () => check(join(folder, 'missing.json'), /which does not exist\.$/))
  it('a folder is, too', () => {
    mkdirSync(join(folder, 'folder'))
    return check(join(folder, 'folder'), /which is not a file\.$/)
  })

  it('the file of gcloud is made again by the command that made it', async () => {
    const gcloud = join(folder, '.config', 'gcloud')
    mkdirSync(gcloud, { recursive: true })
    for (const text of ['{', '{}', 'null']) {
      writeFileSync(join(gcloud, 'application_default_credentials.json'), text)
      const { code, field, next: step } = await told(undefined)
      assert.deepEqual([code, field], ['bad_config', undefined], text)
      assert.match(step, /^Run gcloud auth application-default login again/)
    }
    rmSync(join(folder, '.config'), { recursive: true })
    const { code, message } = await told(undefined)
    assert.deepEqual([code, message], ['denied', 'No Google Cloud credentials were found: gcp:projects/p/secrets/db cannot be read.'])
  })
})

describe('credentials that give no token', () => {
  let double: GcpSecretManagerDouble
  let answer: readonly [status: number, body: object]
  const server = createServer((_, response) => {
    response.writeHead(answer[0], { 'content-type': 'application/json' }).end(JSON.stringify(answer[1]))
  })
  let endpoint: string
  before(async () => {
    const { GcpSecretManagerDouble: Double } = await import('../harness/gcp-secret-manager.js')
    double = await Double.open(() => 0, { certificate: authority.issue(['DNS:localhost', 'IP:127.0.0.1']) })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    const address = server.address()
    endpoint = typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : assert.fail('no port')
    writeFileSync(join(folder, 'token'), 'x')
  })
  after(async () => {
    server.close()
    await double.close()
  })
  const federated = (host: string, token = join(folder, 'token')): string => {
    const subject = { audience: '//iam', subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }
    const form = { type: 'external_account', ...subject, token_url: `http://${host}/token`, credential_source: { file: token } }
    writeFileSync(file, JSON.stringify(form))
    return file
  }
  const said = ({ code, field, message, next }: RotationError) => ({ code, field, text: `${message} ${next}` })

  for (const [status, error] of [
    [400, 'invalid_grant'],
    [401, 'invalid_client'],
    [403, 'access_denied'],
  ] as const)
    it(`are refused with ${error}: denied, without the text of the endpoint`, async () => {
      answer = [status, { error, error_description: 'hunter2' }]
      const { code, text } = said(await told(federated(endpoint), double.port))
      assert.equal(code, 'denied')
      assert.match(text, new RegExp(`Google does not accept these credentials \\(${error}\\).*gcloud auth application-default login again`))
      assert.doesNotMatch(text, /hunter2/)
    })

  it('are not judged by an endpoint that fails or is not there: unavailable, with its host', async () => {
    answer = [503, {}]
    const failed = said(await told(federated(endpoint), double.port))
    assert.equal(failed.code, 'unavailable')
    const closed = said(await told(federated('127.0.0.1:1'), double.port))
    assert.equal(closed.code, 'unavailable')
    assert.match(closed.text, /127\.0\.0\.1:1, which gives a token for these credentials, could not be reached\. Check the network, DNS/)
  })

  it('are a wrong setting where a file in them is missing, or the key is none', async () => {
    const { code, field, text } = said(await told(federated(endpoint, join(folder, 'nowhere')), double.port))
    assert.deepEqual([code, field], ['bad_config', variable])
    assert.match(text, /credential_source/)
    const key = { type: 'service_account', project_id: 'p', client_email: 'r@p.iam.gserviceaccount.com', private_key: 'junk' }
    writeFileSync(file, JSON.stringify(key))
    const unreadable = said(await told(file, double.port))
    assert.deepEqual([unreadable.code, unreadable.field], ['bad_config', variable])
  })

  it('that the service does not take are refused, too', async () => {
    answer = [200, { access_token: 'a', expires_in: 3600, issued_token_type: 'x', token_type: 'Bearer' }]
    double.wantsToken = 'another'
    const { code, text } = said(await told(federated(endpoint), double.port))
    assert.equal(code, 'denied')
    assert.match(text, /UNAUTHENTICATED/)
  })
})
