import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, beforeEach, describe, it } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import { status } from '@grpc/grpc-js'
import { crc32c } from '../harness/gcp-secret-manager/model.js'
import { rpcNames } from '../harness/gcp-secret-manager/rpcs.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

const start = Date.UTC(2026, 0, 5, 12)
let time = start
let double: GcpSecretManagerDouble
let client: SecretManagerServiceClient
const name = 'projects/123456789012/secrets/db'

before(async () => {
  double = await GcpSecretManagerDouble.open(() => time)
  client = new SecretManagerServiceClient(double.clientOptions)
})
after(async () => {
  await client.close()
  await double.close()
})
beforeEach(() => {
  time = start
  double.reset()
})

const create = (more: object = {}) =>
  client.createSecret({ parent: 'projects/p', secretId: 'db', secret: { replication: { automatic: {} }, ...more } })
const add = (value: string, secret = name) => client.addSecretVersion({ parent: secret, payload: { data: Buffer.from(value) } })
const read = async (version: string | number): Promise<string> => {
  const [{ payload }] = await client.accessSecretVersion({ name: `${name}/versions/${version}` })
  return Buffer.from(payload?.data as Uint8Array).toString()
}
const fails = (call: Promise<unknown>, code: number, message: RegExp | string) =>
  assert.rejects(call, (error: { code: number; details: string }) => {
    assert.deepEqual(
      [error.code, typeof message === 'string' ? error.details : message.test(error.details) || error.details],
      [code, typeof message === 'string' ? message : true],
    )
    return true
  })

describe('what examples and emulators get wrong', () => {
  it('latest is the newest version, and not the newest enabled one: disabled, it fails for everybody who reads latest', async () => {
    await create()
    await add('one')
    await add('two')
    await client.disableSecretVersion({ name: `${name}/versions/2` })
    await fails(read('latest'), status.FAILED_PRECONDITION, `Secret Version [${name}/versions/2] is in DISABLED state.`)
    assert.equal(await read(1), 'one')
    await client.destroySecretVersion({ name: `${name}/versions/2` })
    await fails(read('latest'), status.FAILED_PRECONDITION, `Secret Version [${name}/versions/2] is in DESTROYED state.`)
    const [version] = await client.getSecretVersion({ name: `${name}/versions/latest` })
    assert.deepEqual([version.name, version.state], [`${name}/versions/2`, 'DESTROYED'])
  })

  it('a version cannot be added disabled: what the request says of its state has no place, and every reader of latest sees it at once', async () => {
    await create()
    await add('one')
    const request = { parent: name, payload: { data: Buffer.from('two') }, state: 'DISABLED', secretVersion: { state: 'DISABLED' } }
    const [version] = await client.addSecretVersion(request)
    assert.equal(version.state, 'ENABLED')
    assert.equal(await read('latest'), 'two')
  })

  it('AddSecretVersion has no etag and no request id: repeated, it adds again', async () => {
    const [secret] = await create()
    const request = { parent: name, payload: { data: Buffer.from('one') }, etag: '"wrong"', requestId: 'same' }
    await client.addSecretVersion(request)
    await client.addSecretVersion(request)
    assert.equal(double.secrets.get(name)?.versions.length, 2)
    const [after] = await client.getSecret({ name })
    assert.equal(after.etag, secret.etag, 'the etag of the secret is not that of its versions')
  })

  it('a wrong etag is FAILED_PRECONDITION for a secret and for a version; no etag is not checked; a change of nothing gives a new one', async () => {
    const [secret] = await create()
    await add('one')
    const version = `${name}/versions/1`
    const [first] = await client.getSecretVersion({ name: version })
    assert.match(`${secret.etag} ${first.etag}`, /^"[0-9a-f]+" "[0-9a-f]+"$/)
    const [enabled] = await client.enableSecretVersion({ name: version, etag: first.etag ?? '' })
    assert.notEqual(enabled.etag, first.etag)
    for (const change of ['enableSecretVersion', 'disableSecretVersion', 'destroySecretVersion'] as const)
      await fails(client[change]({ name: version, etag: first.etag ?? '' }), status.FAILED_PRECONDITION, /etag/)
    const update = (etag: string | null | undefined) =>
      client.updateSecret({ secret: { name, etag: etag ?? null, labels: {} }, updateMask: { paths: ['labels'] } })
    const [updated] = await update(secret.etag)
    assert.notEqual(updated.etag, secret.etag)
    await fails(update(secret.etag), status.FAILED_PRECONDITION, /etag/)
    await fails(update(updated.etag?.replaceAll('"', '')), status.FAILED_PRECONDITION, /etag/)
    await fails(client.deleteSecret({ name, etag: secret.etag ?? '' }), status.FAILED_PRECONDITION, /etag/)
    await update(undefined)
    await client.deleteSecret({ name })
  })

  it('only what was added is found at once, by its number: latest, aliases and metadata may be old', async () => {
    await create()
    await add('one')
    await client.updateSecret({ secret: { name, versionAliases: { current: 1 } }, updateMask: { paths: ['version_aliases'] } })
    await add('two')
    await client.updateSecret({ secret: { name, versionAliases: { current: 2 } }, updateMask: { paths: ['version_aliases'] } })
    double.fault = () => ({ staleWrites: 2 })
    assert.deepEqual([await read('latest'), await read('current'), await read(2)], ['one', 'one', 'two'])
    const [versions] = await client.listSecretVersions({ parent: name })
    assert.equal(versions.length, 1)
    double.fault = () => 'stale'
    const [secret] = await client.getSecret({ name })
    assert.deepEqual(secret.versionAliases, { current: '1' })
    assert.deepEqual([await read('latest'), await read('current')], ['two', 'one'])
    double.fault = () => ({ staleWrites: 99 })
    await fails(client.getSecret({ name }), status.NOT_FOUND, `Secret [${name}] not found.`)
    assert.equal(await read(1), 'one')
    await fails(client.getSecretVersion({ name: `${name}/versions/1` }), status.NOT_FOUND, /no versions/)
  })

  it('what was disabled may still be read for a while', async () => {
    await create()
    await add('one')
    await client.disableSecretVersion({ name: `${name}/versions/1` })
    double.fault = () => 'stale'
    assert.deepEqual([await read(1), await read('latest')], ['one', 'one'])
  })

  it('what was read too early costs a failed compare-and-set, and no other write', async () => {
    await create()
    await client.updateSecret({ secret: { name, labels: { by: 'other' } }, updateMask: { paths: ['labels'] } })
    double.fault = () => 'stale'
    const [old] = await client.getSecret({ name })
    double.fault = () => undefined
    const mine = { name, etag: old.etag ?? '', labels: { by: 'me' } }
    await fails(client.updateSecret({ secret: mine, updateMask: { paths: ['labels'] } }), status.FAILED_PRECONDITION, /etag/)
    assert.deepEqual(double.secrets.get(name)?.labels, new Map([['by', 'other']]))
  })
})

describe('secrets', () => {
  it('every call of the service is served, but for those of managed rotation', () => {
    const path = 'node_modules/@google-cloud/secret-manager/build/src/v1/gapic_metadata.json'
    const { services } = JSON.parse(readFileSync(path, 'utf8')) as {
      services: { SecretManagerService: { clients: { grpc: { rpcs: Record<string, unknown> } } } }
    }
    const theirs = Object.keys(services.SecretManagerService.clients.grpc.rpcs)
    assert.deepEqual(theirs.filter((rpc) => !rpcNames.some((own) => own === rpc)).sort(), ['EnableManagedRotation', 'RotateSecret'])
    assert.deepEqual(
      rpcNames.filter((own) => !theirs.includes(own)),
      [],
    )
  })

  it('is named by the number of its project in every answer, whether asked by the id or the number', async () => {
    await create()
    for (const project of ['p', '123456789012']) {
      const [secret] = await client.getSecret({ name: `projects/${project}/secrets/db` })
      assert.equal(secret.name, name)
      assert.deepEqual(secret.createTime, { seconds: String(start / 1000), nanos: 0 })
    }
    await fails(create(), status.ALREADY_EXISTS, `Secret [${name}] already exists.`)
  })

  it('a regional secret is another one than the global secret of its name, and has no replication', async () => {
    await create()
    await client.createSecret({ parent: 'projects/p/locations/europe-west1', secretId: 'db', secret: {} })
    const regional = 'projects/123456789012/locations/europe-west1/secrets/db'
    const [version] = await add('far', 'projects/p/locations/europe-west1/secrets/db')
    assert.equal(version.name, `${regional}/versions/1`)
    const lists = await Promise.all(['projects/p', 'projects/p/locations/europe-west1'].map((parent) => client.listSecrets({ parent })))
    assert.deepEqual(
      lists.map(([secrets]) => secrets.map((secret) => secret.name)),
      [[name], [regional]],
    )
    const parent = 'projects/p/locations/europe-west1'
    await fails(
      client.createSecret({ parent, secretId: 'x', secret: { replication: { automatic: {} } } }),
      status.INVALID_ARGUMENT,
      /replication/,
    )
    await fails(client.createSecret({ parent: 'projects/p', secretId: 'x', secret: {} }), status.INVALID_ARGUMENT, /replication/)
  })

  it('a mask replaces the whole map, and leaves what it does not name', async () => {
    await create({ labels: { a: '1', b: '2' }, annotations: { note: 'kept' } })
    await client.updateSecret({ secret: { name, labels: { c: '3' }, annotations: { note: 'lost' } }, updateMask: { paths: ['labels'] } })
    const [secret] = await client.getSecret({ name })
    assert.deepEqual([secret.labels, secret.annotations], [{ c: '3' }, { note: 'kept' }])
    for (const paths of [[], ['labels.c'], ['versionAliases'], ['replication'], ['name'], ['nonsense']])
      await fails(client.updateSecret({ secret: { name, labels: {} }, updateMask: { paths } }), status.INVALID_ARGUMENT, /Field/)
  })

  it('keeps to the limits of labels, annotations, aliases and topics', async () => {
    await create()
    await add('one')
    const update = (paths: string, secret: object) => client.updateSecret({ secret: { name, ...secret }, updateMask: { paths: [paths] } })
    const many = (count: number, key: (n: number) => string, value: unknown) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [key(n), value]))
    await update('version_aliases', { versionAliases: many(50, (n) => `a${n}`, 1) })
    await update('labels', { labels: many(64, (n) => `l${n}`, 'x') })
    await update('annotations', { annotations: { 'keyturn.state-1': 'x'.repeat(16_383 - 15) } })
    const refused: readonly (readonly [path: string, secret: object])[] = [
      ['version_aliases', { versionAliases: many(51, (n) => `a${n}`, 1) }],
      ...['latest', 'NEW', '1st', 'a.b', 'x'.repeat(64)].map((alias) => ['version_aliases', { versionAliases: { [alias]: 1 } }] as const),
      ['version_aliases', { versionAliases: { there: 2 } }],
      ['labels', { labels: many(65, (n) => `l${n}`, 'x') }],
      ['labels', { labels: { Upper: 'x' } }],
      ['labels', { labels: { a: 'Upper' } }],
      ['labels', { labels: { a: 'x'.repeat(64) } }],
      ['annotations', { annotations: { 'keyturn.state-1': 'x'.repeat(16_384 - 15) } }],
      ['annotations', { annotations: { 'keyturn/state': 'x' } }],
      ['topics', { topics: Array.from({ length: 11 }, (_, n) => ({ name: `projects/p/topics/t${n}` })) }],
      ['topics', { topics: [{ name: 't' }] }],
    ]
    for (const [path, secret] of refused) await fails(update(path, secret), status.INVALID_ARGUMENT, /./)
    assert.equal(double.secrets.get(name)?.aliases.size, 50, 'what was refused changed nothing')
  })

  it('lists the newest first, by pages, and filters by labels and name', async () => {
    for (const [secretId, team] of [
      ['one', 'a'],
      ['two', 'b'],
      ['three', 'a'],
      ['two--pending', 'b'],
    ] as const)
      await client.createSecret({ parent: 'projects/p', secretId, secret: { replication: { automatic: {} }, labels: { team } } })
    double.pageSize = 3
    const ids = async (filter = '') => {
      const [secrets] = await client.listSecrets({ parent: 'projects/p', filter })
      return secrets.map((secret) => secret.name?.split('/').at(-1)).join(' ')
    }
    assert.equal(await ids(), 'two--pending three two one')
    assert.equal(double.count('ListSecrets'), 2)
    assert.equal(await ids('labels.team=a'), 'three one')
    assert.equal(await ids('labels.team:*'), 'two--pending three two one')
    assert.equal(await ids('labels.other:*'), '')
    assert.equal(await ids('name:two'), 'two--pending two')
    assert.equal(await ids('labels.team=b AND NOT name:pending'), 'two')
    assert.equal(await ids('labels.team=b AND name:one OR name:pending'), 'two--pending', 'OR binds tighter')
    assert.equal(await ids('(labels.team=b AND name:one) OR name:three'), 'three')
    assert.equal(await ids('create_time>2026-01-05T12:00:00Z'), '')
    for (const filter of ['annotations.note:x', 'nonsense', 'name:a)', '(name:a', 'etag=x'])
      await fails(ids(filter), status.INVALID_ARGUMENT, /filter/)
  })

  it('a page continues where it was, whatever is created meanwhile', async () => {
    for (const secretId of ['one', 'two', 'three'])
      await client.createSecret({ parent: 'projects/p', secretId, secret: { replication: { automatic: {} } } })
    const page = (pageToken?: string | null) =>
      client.listSecrets({ parent: 'projects/p', pageSize: 2, pageToken: pageToken ?? null }, { autoPaginate: false })
    const [first, , answer] = await page()
    assert.equal(answer?.totalSize, 3)
    await client.createSecret({ parent: 'projects/p', secretId: 'four', secret: { replication: { automatic: {} } } })
    const [second] = await page(answer?.nextPageToken)
    assert.deepEqual(
      [...first, ...second].map((secret) => secret.name?.split('/').at(-1)),
      ['three', 'two', 'one'],
    )
  })

  it('a policy replaces the old one if its etag is the last, and only what may be done is answered as a permission', async () => {
    await create()
    const [policy] = await client.setIamPolicy({ resource: name, policy: { bindings: [{ role: 'r', members: ['user:a'] }] } })
    await client.setIamPolicy({ resource: name, policy: { ...policy, bindings: [] } })
    await fails(client.setIamPolicy({ resource: name, policy }), status.ABORTED, /concurrent/)
    double.deny.add('secretmanager.versions.access')
    const permissions = ['secretmanager.versions.access', 'secretmanager.versions.add']
    const [may] = await client.testIamPermissions({ resource: name, permissions })
    assert.deepEqual(may.permissions, ['secretmanager.versions.add'])
    const [none] = await client.testIamPermissions({ resource: `${name}2`, permissions })
    assert.deepEqual(none.permissions, [])
  })
})

describe('versions', () => {
  it('a payload comes back byte for byte with its checksum; a wrong checksum, none and one byte too many are refused', async () => {
    await create()
    const data = Buffer.from([0, 0xff, 0x80, 0x0a, 0x27])
    const addBytes = (bytes: Buffer, dataCrc32c?: number | string) =>
      client.addSecretVersion({ parent: name, payload: dataCrc32c === undefined ? { data: bytes } : { data: bytes, dataCrc32c } })
    const [checked] = await addBytes(data, crc32c(data))
    assert.equal(checked.clientSpecifiedPayloadChecksum, true)
    const [{ payload }] = await client.accessSecretVersion({ name: `${name}/versions/1` })
    assert.deepEqual([Buffer.from(payload?.data as Uint8Array), payload?.dataCrc32c], [data, String(crc32c(data))])
    const [unchecked] = await addBytes(Buffer.alloc(65_536, 1))
    assert.equal(unchecked.clientSpecifiedPayloadChecksum, false)
    await fails(addBytes(data, crc32c(data) + 1), status.INVALID_ARGUMENT, /crc32c/)
    await fails(addBytes(Buffer.alloc(0)), status.INVALID_ARGUMENT, 'Field [payload] is required.')
    await fails(addBytes(Buffer.alloc(65_537, 1)), status.INVALID_ARGUMENT, /65536/)
    assert.equal(double.secrets.get(name)?.versions.length, 2)
  })

  it('the checksum is CRC-32C: the vectors of RFC 3720', () => {
    assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283)
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a91_36aa)
    assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8_ab43)
  })

  it('lists the newest first, by pages, and filters by state', async () => {
    await create()
    for (const value of ['one', 'two', 'three']) await add(value)
    await client.disableSecretVersion({ name: `${name}/versions/2` })
    double.pageSize = 2
    const ids = async (filter = '') => {
      const [versions] = await client.listSecretVersions({ parent: name, filter })
      return versions.map((version) => version.name?.split('/').at(-1)).join(' ')
    }
    assert.deepEqual([await ids(), await ids('state:ENABLED'), await ids('state=DISABLED')], ['3 2 1', '3 1', '2'])
  })

  it('an alias is for reading only, and moves with others in one write', async () => {
    await create()
    await add('one')
    await add('two')
    const set = (versionAliases: Record<string, number>) =>
      client.updateSecret({ secret: { name, versionAliases }, updateMask: { paths: ['version_aliases'] } })
    await set({ current: 1 })
    await set({ current: 2, previous: 1 })
    assert.deepEqual([await read('current'), await read('previous')], ['two', 'one'])
    for (const alias of ['current', 'latest'])
      await fails(client.disableSecretVersion({ name: `${name}/versions/${alias}` }), status.INVALID_ARGUMENT, /number/)
    await fails(read('other'), status.NOT_FOUND, `Secret Version [${name}/versions/other] not found.`)
    await client.disableSecretVersion({ name: `${name}/versions/1` })
    await fails(read('previous'), status.FAILED_PRECONDITION, `Secret Version [${name}/versions/1] is in DISABLED state.`)
  })

  it('a destroyed version stays destroyed; with a delay it is disabled until then, and enabling it takes that back', async () => {
    await create({ versionDestroyTtl: { seconds: 86_400 } })
    for (const value of ['one', 'two']) await add(value)
    for (const id of [1, 2]) {
      const [version] = await client.destroySecretVersion({ name: `${name}/versions/${id}` })
      assert.deepEqual([version.state, version.scheduledDestroyTime?.seconds], ['DISABLED', String(start / 1000 + 86_400)])
    }
    await client.enableSecretVersion({ name: `${name}/versions/2` })
    time += 86_400_000
    await fails(read(1), status.FAILED_PRECONDITION, /DESTROYED/)
    assert.equal(await read(2), 'two')
    for (const change of ['enableSecretVersion', 'disableSecretVersion', 'destroySecretVersion'] as const)
      await fails(client[change]({ name: `${name}/versions/1` }), status.FAILED_PRECONDITION, /DESTROYED/)
    assert.equal(double.secrets.get(name)?.versions[0]?.data, undefined)
  })

  it('a secret that expires is gone with all its versions', async () => {
    await create({ ttl: { seconds: 60 } })
    await add('one')
    time += 60_000
    await fails(read(1), status.NOT_FOUND, `Secret [${name}] not found or has no versions.`)
  })
})
