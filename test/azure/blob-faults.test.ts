import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { BlobServiceClient, type BlockBlobClient, RestError, type StoragePipelineOptions } from '@azure/storage-blob'
import { Azurite, azuriteSkip } from '../harness/azurite.js'
import { type BlobFault, BlobFaults } from '../harness/blob-faults.js'
import { suite } from '../harness/suite.js'

async function refusalOf(act: Promise<unknown>): Promise<RestError> {
  const cause: unknown = await act.then(
    () => assert.fail('done'),
    (cause) => cause,
  )
  assert.ok(cause instanceof RestError, String(cause))
  return cause
}

suite('faults of calls to Azurite', azuriteSkip, ({ after, before, beforeEach, it }) => {
  let azurite: Azurite
  let faults: BlobFaults
  let etag: string | undefined
  const blobOf = (options: StoragePipelineOptions = {}): BlockBlobClient =>
    azurite
      .client({ ...faults.options, ...options })
      .getContainerClient('journals')
      .getBlockBlobClient('vault/sécret')
  before(async () => {
    azurite = await Azurite.start()
    faults = new BlobFaults(azurite)
  })
  after(async () => {
    faults?.close()
    await azurite?.stop()
  })
  beforeEach(async () => {
    await azurite.reset()
    await azurite.client().createContainer('journals')
    faults.reset()
    etag = (await blobOf().upload('one', 3)).etag
    faults.reset()
  })
  const once = (fault: BlobFault): void => {
    faults.fault = (_, n) => (n === 1 ? fault : undefined)
  }
  const write = (options: StoragePipelineOptions = {}, body = 'two') =>
    blobOf(options).upload(body, body.length, { conditions: { ...(etag && { ifMatch: etag }) } })
  /** Whoever looks is not a call. */
  const stored = async () =>
    (await azurite.client().getContainerClient('journals').getBlockBlobClient('vault/sécret').downloadToBuffer()).toString()

  it('a lost answer and a cut connection are one error without a status: only what is stored differs', async () => {
    for (const [fault, body] of [
      ['cut', 'one'],
      ['lost', 'two'],
    ] as const) {
      once(fault)
      const { name, code, message, statusCode } = await refusalOf(write())
      assert.deepEqual([name, code, message, statusCode], ['RestError', 'ECONNRESET', 'socket hang up', undefined])
      assert.deepEqual([await stored(), faults.count('write')], [body, 1])
      faults.reset()
    }
  })

  it('a lost answer to a read is lost as well, and the next call is answered', async () => {
    once('lost')
    assert.equal((await refusalOf(blobOf().download())).code, 'ECONNRESET')
    assert.equal((await blobOf().downloadToBuffer()).toString(), 'one')
  })

  it('that error is the one of the client’s own way to send', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.destroy())).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/devstoreaccount1/journals/one`
    const own = await refusalOf(new BlobServiceClient(url, undefined, { retryOptions: { maxTries: 1 } }).getProperties())
    server.close()
    once('cut')
    const made = await refusalOf(write())
    assert.deepEqual([made.name, made.code, made.message, made.statusCode], [own.name, own.code, own.message, own.statusCode])
  })

  it('refused by a status, nothing is done; late, it is done', async () => {
    for (const [fault, said, body] of [
      ['unavailable', '503 ServerBusy', 'one'],
      ['internal', '500 InternalError', 'one'],
      ['throttle', '503 ServerBusy', 'one'],
      [{ status: 429, code: 'TooManyRequests' }, '429 TooManyRequests', 'one'],
      [{ status: 409, code: 'LeaseAlreadyPresent' }, '409 LeaseAlreadyPresent', 'one'],
      ['late', '500 OperationTimedOut', 'two'],
    ] as const) {
      once(fault)
      const { statusCode, code } = await refusalOf(write())
      assert.deepEqual([`${statusCode} ${code}`, await stored(), faults.count('write')], [said, body, 1])
      faults.reset()
    }
  })

  it('the answer to HEAD has its code in the details alone, as that of the service', async () => {
    once('unavailable')
    const { statusCode, code, details } = await refusalOf(blobOf().getProperties())
    assert.deepEqual([statusCode, code, (details as { errorCode?: string }).errorCode], [503, undefined, 'ServerBusy'])
  })

  it('left to itself, the client repeats a write whose answer was lost, and is refused for its own success', async () => {
    once('lost')
    assert.equal((await refusalOf(write({ retryOptions: {} }))).code, 'ConditionNotMet')
    assert.deepEqual([await stored(), faults.count('write')], ['two', 2])
    faults.reset()
    once('lost')
    const create = blobOf({ retryOptions: {} }).upload('two', 3, { conditions: { ifNoneMatch: '*' } })
    assert.equal((await refusalOf(create)).code, 'BlobAlreadyExists')
  })

  it('it repeats 500 and 503, and no other status', async () => {
    for (const [fault, tries] of [
      ['unavailable', 2],
      ['internal', 2],
      [{ status: 429, code: 'TooManyRequests' }, 1],
      [{ status: 408, code: 'RequestTimeout' }, 1],
    ] as const) {
      once(fault)
      const repeating = blobOf({ retryOptions: {} }).getProperties()
      if (tries === 1) await refusalOf(repeating)
      else await repeating
      assert.equal(faults.count('look'), tries)
      faults.reset()
    }
  })

  it('slow: done after a while; delayed: done when the test lets it; held: done, and answered when the test lets it', async () => {
    once({ slowMs: 20 })
    etag = (await write()).etag
    for (const [kind, body] of [
      ['delayed', 'one more'],
      ['held', 'and one'],
    ] as const) {
      const before = await stored()
      let goOn = (): void => {}
      const gate = new Promise<void>((resolve) => (goOn = resolve))
      faults.reset()
      once(kind === 'held' ? { held: gate } : { delayed: gate })
      let isAnswered = false
      const writing = write({}, body).finally(() => (isAnswered = true))
      if (kind === 'held') while ((await stored().catch(() => before)) === before) await delay(5) // the emulator cuts off who reads what is overwritten
      assert.deepEqual([await stored(), isAnswered], [kind === 'held' ? body : before, false])
      goOn()
      etag = (await writing).etag
      assert.equal(await stored(), body)
    }
  })

  it('whoever gives up a call that is held is told so at once', async () => {
    once({ held: new Promise(() => {}) })
    const giveUp = new AbortController()
    const writing = blobOf().upload('two', 3, { abortSignal: giveUp.signal })
    while ((await stored()) === 'one') await delay(5)
    giveUp.abort()
    await assert.rejects(writing, { name: 'AbortError' })
    await assert.rejects(blobOf().getProperties({ abortSignal: giveUp.signal }), { name: 'AbortError' })
  })

  it('a call says what it does, and to what', async () => {
    const [blob, id, next] = [blobOf(), randomUUID(), randomUUID()]
    const lease = blob.getBlobLeaseClient(id)
    await lease.acquireLease(15)
    await lease.renewLease()
    await blob.setMetadata({ token: 'T1' }, { conditions: { leaseId: id, ...(etag && { ifMatch: etag }) } })
    await lease.changeLease(next)
    await lease.releaseLease()
    await lease.breakLease(0).catch(() => undefined)
    await blob.download()
    await blob.getProperties()
    await blob.upload('two', 3, { conditions: { ifNoneMatch: '*' } }).catch(() => undefined)
    await blob.delete()
    const container = azurite.client(faults.options).getContainerClient('journals')
    for await (const { name } of container.listBlobsFlat()) assert.fail(name)
    await container.exists()
    const at = { container: 'journals', blob: 'vault/sécret', lease: undefined, ifMatch: undefined, token: undefined }
    assert.deepEqual(faults.calls, [
      { ...at, operation: 'acquire', method: 'PUT', lease: id },
      { ...at, operation: 'renew', method: 'PUT', lease: id },
      { ...at, operation: 'write', method: 'PUT', lease: id, ifMatch: etag },
      { ...at, operation: 'change', method: 'PUT', lease: id },
      { ...at, operation: 'release', method: 'PUT', lease: next },
      { ...at, operation: 'break', method: 'PUT' },
      { ...at, operation: 'read', method: 'GET' },
      { ...at, operation: 'look', method: 'HEAD' },
      { ...at, operation: 'create', method: 'PUT' },
      { ...at, operation: 'delete', method: 'DELETE' },
      { ...at, operation: 'list', method: 'GET', blob: '' },
      { ...at, operation: 'container', method: 'GET', blob: '' },
    ])
    assert.equal(faults.count('acquire', 'renew'), 2)
  })

  it('a client of an account of Azure reaches the emulator with its token, also years later, and not without one', async () => {
    const url = 'https://keyturn.blob.core.windows.net'
    const scopes: unknown[] = []
    const getToken = async (scope: string | string[]) => {
      scopes.push(scope)
      return { token: 'a-token', expiresOnTimestamp: Date.now() + 3_600_000 }
    }
    const blob = new BlobServiceClient(url, { getToken }, faults.options).getContainerClient('journals').getBlockBlobClient('vault/sécret')
    await azurite.moveClock(3 * 365 * 86_400_000)
    const lease = blob.getBlobLeaseClient(randomUUID())
    await lease.acquireLease(15)
    await blob.upload('two', 3, { conditions: { leaseId: lease.leaseId, ...(etag && { ifMatch: etag }) } })
    assert.equal(await stored(), 'two')
    const at = { method: 'PUT', container: 'journals', blob: 'vault/sécret', lease: lease.leaseId, token: 'a-token' }
    assert.deepEqual(faults.calls, [
      { ...at, operation: 'acquire', ifMatch: undefined },
      { ...at, operation: 'write', ifMatch: etag },
    ])
    assert.deepEqual(scopes, [['https://storage.azure.com/.default']])
    const nobody = new BlobServiceClient(url, undefined, faults.options).getContainerClient('journals')
    assert.equal((await refusalOf(nobody.getProperties())).statusCode, 403)
  })
})
