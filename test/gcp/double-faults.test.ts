import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import { status } from '@grpc/grpc-js'
import { type Fault, GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

const start = Date.UTC(2026, 0, 5, 12)
let time = start
let double: GcpSecretManagerDouble
let client: SecretManagerServiceClient
const name = 'projects/123456789012/secrets/db'
const staging = `${name}--pending`

before(async () => {
  double = await GcpSecretManagerDouble.open(() => time)
  client = new SecretManagerServiceClient(double.clientOptions)
})
after(async () => {
  await client.close()
  await double.close()
})
beforeEach(async () => {
  time = start
  double.reset()
  for (const secretId of ['db', 'db--pending'])
    await client.createSecret({ parent: 'projects/p', secretId, secret: { replication: { automatic: {} } } })
  double.calls.length = 0
})

const add = (parent = name) => client.addSecretVersion({ parent, payload: { data: Buffer.from('one') } })
const once = (fault: Fault) => {
  double.fault = (_, n) => (n === 1 ? fault : undefined)
}
const versions = (): number => double.secrets.get(name)?.versions.length ?? 0
const fails = (call: Promise<unknown>, code: number, message = /./) =>
  assert.rejects(call, (error: { code: number; message: string }) => {
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })

describe('faults', () => {
  it('an answer is lost after the write: the connection is really gone, the version is there, and the client does not repeat it', async () => {
    once('lost')
    await fails(add(), status.UNAVAILABLE, /Connection dropped/)
    assert.deepEqual([versions(), double.count('AddSecretVersion')], [1, 1])
    await add()
    assert.equal(versions(), 2)
  })

  it('the connection ends before the write: the same status, and no version', async () => {
    once('cut')
    await fails(add(), status.UNAVAILABLE, /Connection dropped/)
    assert.deepEqual([versions(), double.count('AddSecretVersion')], [0, 1])
  })

  it('refused by a status, nothing is done; late, it is done', async () => {
    const refusals = [
      ['unavailable', status.UNAVAILABLE],
      ['throttle', status.RESOURCE_EXHAUSTED],
      ['internal', status.INTERNAL],
      [{ code: status.ABORTED, message: 'as asked' }, status.ABORTED],
    ] as const
    for (const [fault, code] of refusals) {
      double.fault = () => fault
      await fails(add(), code)
      assert.equal(versions(), 0)
    }
    double.fault = () => 'late'
    await fails(add(), status.DEADLINE_EXCEEDED)
    assert.equal(versions(), 1)
  })

  it('the client gives up on an answer that is held, and the write is done all the same', async () => {
    let release = (): void => {}
    once({ held: new Promise<void>((resolve) => (release = resolve)) })
    await fails(
      client.addSecretVersion({ parent: name, payload: { data: Buffer.from('one') } }, { timeout: 2000 }),
      status.DEADLINE_EXCEEDED,
    )
    assert.equal(versions(), 1)
    release()
  })

  it('a slow answer comes', async () => {
    once({ slowMs: 20 })
    await add()
    assert.equal(versions(), 1)
  })

  it('the client repeats only a read of a value, and only what the service could not do', async () => {
    await add()
    double.fault = (_, n) => (n === 2 ? 'unavailable' : undefined)
    const backoffSettings = {
      initialRetryDelayMillis: 1,
      retryDelayMultiplier: 1,
      maxRetryDelayMillis: 1,
      initialRpcTimeoutMillis: 5000,
      rpcTimeoutMultiplier: 1,
      maxRpcTimeoutMillis: 5000,
      totalTimeoutMillis: 10_000,
    }
    const retry = { retryCodes: [status.UNAVAILABLE, status.RESOURCE_EXHAUSTED], backoffSettings }
    await client.accessSecretVersion({ name: `${name}/versions/1` }, { retry })
    assert.equal(double.count('AccessSecretVersion'), 2)
    double.fault = () => 'unavailable'
    await fails(client.getSecret({ name }), status.UNAVAILABLE)
    assert.equal(double.count('GetSecret'), 1)
  })

  it('takes two writes a second of one secret by its clock, and one of the state of a version', async () => {
    double.throttles = true
    await add()
    await client.updateSecret({ secret: { name, labels: {} }, updateMask: { paths: ['labels'] } })
    await fails(add('projects/p/secrets/db'), status.RESOURCE_EXHAUSTED, /Quota exceeded/)
    await add(staging)
    await client.disableSecretVersion({ name: `${name}/versions/1` })
    await fails(client.enableSecretVersion({ name: `${name}/versions/1` }), status.RESOURCE_EXHAUSTED)
    await client.getSecret({ name })
    time += 999
    await fails(add(), status.RESOURCE_EXHAUSTED)
    time += 1
    await add()
    assert.equal(versions(), 2)
  })

  it('takes eighty writes a second of a regional secret', async () => {
    double.throttles = true
    const parent = 'projects/p/locations/europe-west1'
    await client.createSecret({ parent, secretId: 'db', secret: {} })
    for (let n = 0; n < 80; n++) await add(`${parent}/secrets/db`)
    await fails(add(`${parent}/secrets/db`), status.RESOURCE_EXHAUSTED)
  })

  it('counts calls by name and writes by where they went', async () => {
    await add()
    await add('projects/p/secrets/db--pending')
    await client.updateSecret({ secret: { name: staging, labels: {} }, updateMask: { paths: ['labels'] } })
    await client.listSecretVersions({ parent: staging })
    assert.deepEqual([double.count(), double.count('AddSecretVersion'), double.count('GetSecret')], [4, 2, 0])
    assert.deepEqual([double.writes(), double.writes('staging'), double.writes('consumer')], [3, 2, 1])
    assert.deepEqual(double.calls[1], {
      name: 'AddSecretVersion',
      resource: 'projects/p/secrets/db--pending',
      secret: staging,
      request: double.calls[1]?.request,
      at: start,
      writes: true,
      staging: true,
    })
  })

  it('is as it was opened after a reset, on the same connection', async () => {
    const fresh = (): unknown => {
      const { now: _, names: __, fault, mayNot, onMessage, isStaging, ...kept } = double
      return structuredClone({
        ...kept,
        may: undefined,
        close: undefined,
        newOrder: undefined,
        newEtag: undefined,
        count: undefined,
        writes: undefined,
      })
    }
    double.reset()
    const before = fresh()
    Object.assign(double, { throttles: true, deniedText: 'link', wantsToken: 'x', rotateShows: 'past', pageSize: 1 })
    double.deny.add('secretmanager.secrets.create')
    double.disabledIn.add('p')
    double.fault = () => 'internal'
    double.mayNot = () => true
    await fails(add(), status.UNAUTHENTICATED)
    double.reset()
    assert.deepEqual(fresh(), before)
    await client.createSecret({ parent: 'projects/p', secretId: 'db', secret: { replication: { automatic: {} } } })
  })
})
