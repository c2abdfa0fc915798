import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { BlobServiceClient, type BlockBlobClient, type ContainerClient, RestError, StorageSharedKeyCredential } from '@azure/storage-blob'
import { Azurite, azuriteAccount, azuriteSkip } from '../harness/azurite.js'
import { suite } from '../harness/suite.js'

// What a store relies on that keeps a document in one blob a secret, changes it under a lease and under the etag that it has read. Where the emulator differs
// from what Microsoft documents (Lease Blob, Put Blob, Blob service error codes), a comment says so: a store must be right for both.

/** The leases of two processes. */
const [A, B] = [randomUUID(), randomUUID()]
const absent = '"0x8DC000000000000"'

/** `done`, or the status and the code. The answer to HEAD has no body, and the client sets no `code` then: it is in `details`, from a header. */
async function outcome(act: Promise<unknown>): Promise<string> {
  try {
    await act
    return 'done'
  } catch (cause) {
    if (!(cause instanceof RestError)) throw cause
    const { errorCode } = (cause.details ?? {}) as { readonly errorCode?: string }
    return `${cause.statusCode} ${cause.code ?? errorCode}`
  }
}
const write = (blob: BlockBlobClient, conditions = {}, body = 'two') => blob.upload(body, body.length, { conditions })
const lease = (blob: BlockBlobClient, id: string) => blob.getBlobLeaseClient(id)

const operations = {
  write: (blob: BlockBlobClient) => write(blob),
  'write A': (blob: BlockBlobClient) => write(blob, { leaseId: A }),
  'write B': (blob: BlockBlobClient) => write(blob, { leaseId: B }),
  read: (blob: BlockBlobClient) => blob.download(),
  'read A': (blob: BlockBlobClient) => blob.download(0, undefined, { conditions: { leaseId: A } }),
  delete: (blob: BlockBlobClient) => blob.delete(),
  'delete A': (blob: BlockBlobClient) => blob.delete({ conditions: { leaseId: A } }),
  'acquire A': (blob: BlockBlobClient) => lease(blob, A).acquireLease(60),
  'acquire B': (blob: BlockBlobClient) => lease(blob, B).acquireLease(60),
  'renew A': (blob: BlockBlobClient) => lease(blob, A).renewLease(),
  'renew B': (blob: BlockBlobClient) => lease(blob, B).renewLease(),
  'release A': (blob: BlockBlobClient) => lease(blob, A).releaseLease(),
  'release B': (blob: BlockBlobClient) => lease(blob, B).releaseLease(),
  break: (blob: BlockBlobClient) => lease(blob, B).breakLease(0),
} satisfies Record<string, (blob: BlockBlobClient) => Promise<unknown>>
type Outcomes = Readonly<Record<keyof typeof operations, string>>

const missing = '412 LeaseIdMissing'
const otherWrite = '412 LeaseIdMismatchWithBlobOperation' // one table of Microsoft says 409, the list of codes 412
const otherLease = '409 LeaseIdMismatchWithLeaseOperation'
const present = '409 LeaseAlreadyPresent'
const noneWrite = '412 LeaseNotPresentWithBlobOperation'
const lost = noneWrite // LeaseLost (412) at the service, where the lease has expired
const none: Outcomes = {
  write: 'done',
  'write A': noneWrite,
  'write B': noneWrite,
  read: 'done',
  'read A': noneWrite,
  delete: 'done',
  'delete A': noneWrite,
  'acquire A': 'done',
  'acquire B': 'done',
  'renew A': otherLease,
  'renew B': otherLease,
  'release A': otherLease,
  'release B': otherLease,
  break: '409 LeaseNotPresentWithLeaseOperation',
}
const held: Outcomes = {
  write: missing,
  'write A': 'done',
  'write B': otherWrite,
  read: 'done',
  'read A': 'done',
  delete: missing,
  'delete A': 'done',
  'acquire A': 'done',
  'acquire B': present,
  'renew A': 'done',
  'renew B': otherLease,
  'release A': 'done',
  'release B': otherLease,
  break: 'done',
}

suite('blobs and leases of Azurite', azuriteSkip, ({ after, before, beforeEach, it }) => {
  let azurite: Azurite
  let container: ContainerClient
  let blob: BlockBlobClient
  before(async () => {
    azurite = await Azurite.start()
  })
  after(() => azurite?.stop())
  beforeEach(async () => {
    await azurite.reset()
    container = azurite.client().getContainerClient('journals')
    await container.create()
    blob = container.getBlockBlobClient('vault/secret')
    await write(blob, {}, 'one')
  })

  /** A takes it for a while, and this happens. */
  const took = async (act: (blob: BlockBlobClient) => Promise<unknown>, on = blob): Promise<void> => {
    await lease(on, A).acquireLease(15)
    await act(on)
  }
  const expire = () => azurite.moveClock(15_000)
  /** What each operation brings on a blob of its own in that state, and what its lease is said to be before. */
  const inState = async (leases: string, outcomes: Outcomes, bring: (blob: BlockBlobClient) => Promise<unknown>): Promise<void> => {
    for (const [name, act] of Object.entries(operations)) {
      const one = container.getBlockBlobClient(randomUUID())
      await write(one)
      await bring(one)
      const { leaseState, leaseStatus } = await one.getProperties()
      assert.equal(`${leaseState}, ${leaseStatus}`, leases)
      assert.equal(await outcome(act(one)), outcomes[name as keyof Outcomes], `${name}: ${leases}`)
    }
  }

  it('a document is made once, changed under its etag, and read with the metadata and the etag that it was written with', async () => {
    const [path, body] = [container.getBlockBlobClient('vault/other'), JSON.stringify({ token: 'ü"%' })]
    const metadata = { Token: 'T1' }
    const create = () => path.upload(body, Buffer.byteLength(body), { metadata, conditions: { ifNoneMatch: '*' } })
    const { etag } = await create()
    assert.equal(await outcome(create()), '409 BlobAlreadyExists')
    const found = await path.download()
    assert.ok(found.readableStreamBody)
    // Node gives names of headers in lower case, and a name of metadata is part of one.
    assert.deepEqual([await text(found.readableStreamBody), found.etag, found.metadata], [body, etag, { token: 'T1' }])
    const changed = await write(path, { ifMatch: etag })
    assert.notEqual(changed.etag, etag)
    assert.equal(await outcome(write(path, { ifMatch: etag })), '412 ConditionNotMet')
    assert.deepEqual((await path.getProperties()).metadata, {}) // a write says all of it again
  })

  it('of many at once, one makes a document, one changes it and one gets the lease', async () => {
    const path = container.getBlockBlobClient('vault/other')
    const outcomes = (act: () => Promise<unknown>) => Promise.all(Array.from({ length: 8 }, () => outcome(act())))
    const one = (refusal: string) => ['done', ...Array.from({ length: 7 }, () => refusal)].sort()
    assert.deepEqual((await outcomes(() => write(path, { ifNoneMatch: '*' }))).sort(), one('409 BlobAlreadyExists'))
    const { etag } = await path.getProperties()
    assert.deepEqual((await outcomes(() => write(path, { ifMatch: etag }))).sort(), one('412 ConditionNotMet'))
    assert.deepEqual((await outcomes(() => lease(path, randomUUID()).acquireLease(15))).sort(), one(present))
  })

  it('what is absent is BlobNotFound; what would be in an absent container is ContainerNotFound', async () => {
    const [gone, nowhere] = [container.getBlockBlobClient('gone'), azurite.client().getContainerClient('absent').getBlockBlobClient('gone')]
    for (const act of [operations.read, operations.delete, operations['acquire A'], (one: BlockBlobClient) => one.getProperties()]) {
      assert.equal(await outcome(act(gone)), '404 BlobNotFound')
      assert.equal(await outcome(act(nowhere)), '404 ContainerNotFound')
    }
    assert.equal(await outcome(write(nowhere)), '404 ContainerNotFound')
    assert.equal(await outcome(write(gone, { ifMatch: absent })), '412 ConditionNotMet')
    // Both are documented as 412: an old holder does not bring back what was deleted. Only the etag that was read keeps it from that here.
    for (const conditions of [{ leaseId: A }, { ifMatch: '*' }]) {
      assert.equal(await outcome(write(gone, conditions)), 'done')
      await gone.delete()
    }
  })

  it('a lease that nobody has, and one that is released', async () => {
    await inState('available, unlocked', none, async () => {})
    await inState('available, unlocked', none, (one) => took(operations['release A'], one))
  })
  it('held', async () => {
    await inState('leased, locked', held, (one) => took(async () => {}, one))
    await inState('leased, locked', held, (one) => lease(one, A).acquireLease(-1))
  })
  it('expired, and nothing was written since: it can be renewed, but nothing can be written under it', async () => {
    const outcomes: Outcomes = {
      ...none,
      ...{ 'write A': lost, 'read A': lost, 'delete A': lost },
      ...{ 'acquire A': 'done', 'acquire B': 'done' }, // at the service, somebody else may have to wait for up to a minute
      // LeaseIdMismatchWithLeaseOperation at the service. The emulator does not look at the id: A has the lease then, and B believes to have it.
      ...{ 'renew A': 'done', 'renew B': 'done' },
      ...{ 'release A': 'done', break: 'done' },
    }
    await inState('expired, unlocked', outcomes, (one) => took(expire, one))
    await took(expire)
    await lease(blob, B).renewLease()
    assert.deepEqual([await outcome(write(blob, { leaseId: B })), await outcome(write(blob, { leaseId: A }))], [otherWrite, 'done'])
  })
  it('expired, and written since: as if it had never been', async () => {
    const writes = [operations.write, (one: BlockBlobClient) => one.setMetadata({ token: 'T2' })]
    for (const act of writes) await inState('available, unlocked', none, (one) => took(() => expire().then(() => act(one)), one))
  })
  it('expired, and somebody else has it: the old holder can do nothing', async () => {
    const outcomes: Outcomes = {
      ...held,
      ...{ 'write A': otherWrite, 'write B': 'done', 'read A': otherWrite, 'delete A': otherWrite },
      ...{ 'acquire A': present, 'acquire B': 'done', 'renew A': otherLease, 'renew B': 'done' },
      ...{ 'release A': otherLease, 'release B': 'done' },
    }
    await inState('leased, locked', outcomes, (one) => took(() => expire().then(() => lease(one, B).acquireLease(15)), one))
  })
  it('broken at once: it can be taken, but not renewed', async () => {
    const outcomes: Outcomes = {
      ...none,
      ...{ 'renew A': '409 LeaseIsBrokenAndCannotBeRenewed', 'release A': 'done', break: 'done' },
    }
    await inState('broken, unlocked', outcomes, (one) => took(operations.break, one))
  })
  it('breaking: the holder writes until the time is over, and nobody can take it before', async () => {
    const outcomes: Outcomes = {
      ...held,
      ...{ 'acquire A': '409 LeaseIsBreakingAndCannotBeAcquired', 'renew A': '409 LeaseIsBrokenAndCannotBeRenewed' },
    }
    await inState('breaking, locked', outcomes, (one) => took(() => lease(one, B).breakLease(10), one))
    await took(() => lease(blob, B).breakLease(10))
    await azurite.moveClock(10_000)
    assert.equal((await blob.getProperties()).leaseState, 'broken')
  })

  it('a lease neither changes the etag nor ends with a write under it', async () => {
    const { etag, lastModified } = await blob.getProperties()
    await azurite.moveClock(60_000)
    await took(operations['renew A'])
    const found = await blob.getProperties()
    assert.deepEqual([found.etag, found.lastModified, found.leaseDuration], [etag, lastModified, 'fixed'])
    await write(blob, { leaseId: A, ifMatch: etag })
    assert.equal((await blob.getProperties()).leaseState, 'leased')
    const listed: unknown[] = []
    for await (const { name, properties } of container.listBlobsFlat()) listed.push([name, properties.leaseState, properties.leaseStatus])
    assert.deepEqual(listed, [['vault/secret', 'leased', 'locked']])
  })

  it('an etag that is old is found before a lease that is wrong', async () => {
    await took(async () => {})
    for (const conditions of [{}, { leaseId: A }, { leaseId: B }])
      assert.equal(await outcome(write(blob, { ...conditions, ifMatch: absent })), '412 ConditionNotMet')
    assert.equal(await outcome(write(blob, { ifNoneMatch: '*' })), '409 BlobAlreadyExists')
    const leases = [
      (conditions: object) => lease(blob, A).renewLease({ conditions }),
      (conditions: object) => lease(blob, A).releaseLease({ conditions }),
    ]
    for (const act of leases) assert.equal(await outcome(act({ ifMatch: absent })), '412 ConditionNotMet')
  })

  it('a lease lasts from 15 to 60 seconds or without end, by the clock of the emulator, from when it was last renewed or taken again', async () => {
    const [holder, state] = [lease(blob, A), async () => (await blob.getProperties()).leaseState]
    for (const seconds of [14, 61]) assert.equal(await outcome(holder.acquireLease(seconds)), '400 InvalidHeaderValue')
    await holder.acquireLease(15)
    await azurite.moveClock(10_000)
    await holder.renewLease()
    await azurite.moveClock(14_000)
    assert.equal(await state(), 'leased')
    await holder.acquireLease(60)
    await azurite.moveClock(59_000)
    assert.equal(await state(), 'leased')
    await azurite.moveClock(1000)
    assert.equal(await state(), 'expired')
    await holder.acquireLease(-1)
    await azurite.moveClock(400 * 86_400_000)
    assert.equal(await state(), 'leased')
  })

  it('a write is dated by the clock of the emulator, which takes calls whatever it shows', async () => {
    for (const year of [2031, 2020]) {
      await azurite.setClock(Date.UTC(year, 6, 1))
      assert.equal((await write(blob)).lastModified?.getUTCFullYear(), year)
    }
  })

  it('the client does not send a token without TLS: only the key of the account is left', async () => {
    const client = new BlobServiceClient(azurite.endpoint, {
      getToken: async () => ({ token: 'a-token', expiresOnTimestamp: azurite.now + 3_600_000 }),
    })
    await assert.rejects(client.getContainerClient('journals').exists(), /Bearer token authentication is not permitted for non-TLS/)
    const named = BlobServiceClient.fromConnectionString(azurite.connectionString)
    assert.equal(await named.getContainerClient('journals').exists(), true)
    const wrong = new BlobServiceClient(azurite.endpoint, new StorageSharedKeyCredential(azuriteAccount, 'd3Jvbmc='))
    assert.equal(await outcome(wrong.getContainerClient('journals').getProperties()), '403 AuthorizationFailure')
  })

  it('a container goes with what is leased in it, and can be made again at once, unlike at the service', async () => {
    await took(async () => {})
    await container.delete()
    assert.equal(await outcome(operations.read(blob)), '404 ContainerNotFound')
    await container.create() // ContainerBeingDeleted (409) for half a minute or longer at the service
    assert.equal(await outcome(operations.read(blob)), '404 BlobNotFound')
  })
})
