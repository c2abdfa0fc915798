import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import { status } from '@grpc/grpc-js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

let double: GcpSecretManagerDouble
let client: SecretManagerServiceClient
const asked = 'projects/p/secrets/db'
const answered = 'projects/123456789012/secrets/db'

before(async () => {
  double = await GcpSecretManagerDouble.open(() => Date.UTC(2026, 0, 5, 12))
  client = new SecretManagerServiceClient(double.clientOptions)
})
after(async () => {
  await client.close()
  await double.close()
})
beforeEach(() => double.reset())

interface ServiceFailure {
  readonly code: number
  readonly details: string
  readonly reason?: string
  readonly errorInfoMetadata?: Readonly<Record<string, string>>
}
async function failureOf(call: Promise<unknown>): Promise<ServiceFailure> {
  const failure: unknown = await call.then(
    () => assert.fail('it was done'),
    (error: unknown) => error,
  )
  return failure as ServiceFailure
}
const create = () => client.createSecret({ parent: 'projects/p', secretId: 'db', secret: { replication: { automatic: {} } } })

/** Every call, with the permission that it needs and what it names. */
const calls: readonly (readonly [permission: string, resource: string, call: () => Promise<unknown>])[] = [
  ['secrets.list', 'projects/p', () => client.listSecrets({ parent: 'projects/p' })],
  ['secrets.create', 'projects/p', create],
  ['secrets.get', asked, () => client.getSecret({ name: asked })],
  ['secrets.update', asked, () => client.updateSecret({ secret: { name: asked }, updateMask: { paths: ['labels'] } })],
  ['secrets.delete', asked, () => client.deleteSecret({ name: asked })],
  ['versions.add', asked, () => client.addSecretVersion({ parent: asked, payload: { data: Buffer.from('x') } })],
  ['versions.get', `${asked}/versions/1`, () => client.getSecretVersion({ name: `${asked}/versions/1` })],
  ['versions.list', asked, () => client.listSecretVersions({ parent: asked })],
  ['versions.access', `${asked}/versions/latest`, () => client.accessSecretVersion({ name: `${asked}/versions/latest` })],
  ['versions.enable', `${asked}/versions/1`, () => client.enableSecretVersion({ name: `${asked}/versions/1` })],
  ['versions.disable', `${asked}/versions/1`, () => client.disableSecretVersion({ name: `${asked}/versions/1` })],
  ['versions.destroy', `${asked}/versions/1`, () => client.destroySecretVersion({ name: `${asked}/versions/1` })],
  ['secrets.getIamPolicy', asked, () => client.getIamPolicy({ resource: asked })],
  ['secrets.setIamPolicy', asked, () => client.setIamPolicy({ resource: asked, policy: {} })],
]

describe('refusals', () => {
  for (const [permission, resource, call] of calls)
    it(`a denied secretmanager.${permission} is named with the resource as it was asked for, whether that is there or not`, async () => {
      double.deny.add(`secretmanager.${permission}`)
      const failure = await failureOf(call())
      const { code, details, reason, errorInfoMetadata } = failure
      assert.equal(code, status.PERMISSION_DENIED)
      assert.equal(details, `Permission 'secretmanager.${permission}' denied for resource '${resource}' (or it may not exist).`)
      assert.equal(reason, 'IAM_PERMISSION_DENIED')
      assert.deepEqual(errorInfoMetadata, { permission: `secretmanager.${permission}`, resource })
    })

  it('the newer text names the permission and a link, and no resource', async () => {
    double.deny.add('secretmanager.secrets.get')
    double.deniedText = 'link'
    const { details } = await failureOf(client.getSecret({ name: asked }))
    assert.match(
      details,
      /^Permission 'secretmanager\.secrets\.get' denied on resource \(or it may not exist\)\. Remediate access with .*https:/,
    )
  })

  it('one secret can be denied, and another not', async () => {
    await create()
    await client.createSecret({ parent: 'projects/p', secretId: 'db--pending', secret: { replication: { automatic: {} } } })
    double.mayNot = (permission, resource) => permission === 'secretmanager.secrets.get' && resource.endsWith('--pending')
    await client.getSecret({ name: asked })
    const { code } = await failureOf(client.getSecret({ name: `${asked}--pending` }))
    assert.equal(code, status.PERMISSION_DENIED)
  })

  it('an API that is not enabled is said with the number of the project and where to enable it, before any permission', async () => {
    double.disabledIn.add('p')
    double.deny.add('secretmanager.secrets.get')
    for (const name of [asked, answered]) {
      const { code, details, reason, errorInfoMetadata } = await failureOf(client.getSecret({ name }))
      assert.deepEqual([code, reason], [status.PERMISSION_DENIED, 'SERVICE_DISABLED'])
      assert.match(
        details,
        /^Secret Manager API has not been used in project 123456789012 before or it is disabled\. Enable it by visiting https:/,
      )
      assert.deepEqual(errorInfoMetadata, { consumer: 'projects/123456789012', service: 'secretmanager.googleapis.com' })
    }
    const { code } = await failureOf(client.getSecret({ name: 'projects/q/secrets/db' }))
    assert.equal(code, status.PERMISSION_DENIED, 'q is enabled, and then the permission counts')
  })

  it('a project that is not there is a denied permission, and not a missing one', async () => {
    const { code, details, reason } = await failureOf(client.getSecret({ name: 'projects/typo/secrets/db' }))
    assert.deepEqual([code, details, reason], [status.PERMISSION_DENIED, 'Permission denied on resource project typo.', 'CONSUMER_INVALID'])
  })

  it('what is missing is named by the number of its project: a secret, a version, all versions', async () => {
    const access = (version: string) => failureOf(client.accessSecretVersion({ name: `${asked}/versions/${version}` }))
    const missing = async (failure: Promise<ServiceFailure>, text: string) => {
      const { code, details } = await failure
      assert.deepEqual([code, details], [status.NOT_FOUND, text])
    }
    await missing(failureOf(client.getSecret({ name: asked })), `Secret [${answered}] not found.`)
    await missing(access('latest'), `Secret [${answered}] not found or has no versions.`)
    await create()
    await missing(access('latest'), `Secret [${answered}] not found or has no versions.`)
    await client.addSecretVersion({ parent: asked, payload: { data: Buffer.from('x') } })
    await missing(access('2'), `Secret Version [${answered}/versions/2] not found.`)
  })

  it('a name of another form is refused', async () => {
    for (const name of ['db', 'projects/p/secrets', 'projects/p/secrets/db/versions/1', 'projects/p/locations/secrets/db', '']) {
      const { code } = await failureOf(client.getSecret({ name }))
      assert.equal(code, status.INVALID_ARGUMENT, name)
    }
    for (const secretId of ['', 'a/b', 'a.b', 'x'.repeat(256)]) {
      const { code } = await failureOf(client.createSecret({ parent: 'projects/p', secretId, secret: { replication: { automatic: {} } } }))
      assert.equal(code, status.INVALID_ARGUMENT, secretId)
    }
  })
})
