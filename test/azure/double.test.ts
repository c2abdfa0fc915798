import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { PipelinePolicy } from '@azure/core-rest-pipeline'
import { SecretClient } from '@azure/keyvault-secrets'
import { all, clientOf, fails, refusalOf, tokenOf } from '../harness/key-vault/client.js'
import { operationNames } from '../harness/key-vault/operations.js'
import { KeyVaultDouble } from '../harness/key-vault.js'
import { Authority } from '../harness/pg-certificates.js'

const start = Date.UTC(2026, 0, 5, 12)
let time = start
let double: KeyVaultDouble
let client: SecretClient

before(async () => {
  double = await KeyVaultDouble.open(() => time)
})
after(() => double.close())
beforeEach(() => {
  time = start
  double.reset()
  client = clientOf(double)
})

const set = async (value: string, more: object = {}, name = 'db'): Promise<string> => {
  const { properties } = await client.setSecret(name, value, more)
  return properties.version ?? ''
}
const read = async (version?: string): Promise<string | undefined> => {
  const { value } = await client.getSecret('db', version === undefined ? {} : { version })
  return value
}
const listed = (name = 'db') => all(client.listPropertiesOfSecretVersions(name))
const change = (version: string, options: object) => client.updateSecretProperties('db', version, options)

describe('what examples and emulators get wrong', () => {
  it('a read without a version is of the newest that was created: disabled, it fails for everybody who reads so', async () => {
    const first = await set('one')
    const second = await set('two')
    assert.equal(await read(), 'two')
    await change(second, { enabled: false })
    await fails(read(), 403, 'Forbidden', 'SecretDisabled', /^Operation get is not allowed on a disabled secret\.$/)
    assert.equal(await read(first), 'one')
  })

  it('a disabled version cannot be read by its id either: who adds a value disabled cannot read it to try it', async () => {
    await set('one')
    const pending = await set('two', { enabled: false })
    await fails(read(pending), 403, 'Forbidden', 'SecretDisabled')
    await fails(read(), 403, 'Forbidden', 'SecretDisabled')
    await change(pending, { enabled: true })
    assert.equal(await read(pending), 'two')
  })

  it('a write has no condition: repeated, or done by two who read the same, it makes one version each', async () => {
    const headers = { 'if-match': '"nonsense"', 'if-none-match': '*' }
    for (const value of ['one', 'one', 'two']) await set(value, { requestOptions: { headers } })
    assert.deepEqual(
      double.versions('db').map(({ value }) => value),
      ['one', 'one', 'two'],
    )
  })

  it('times are whole seconds, and a list has an order of its own: neither says which version is newer', async () => {
    time += 999
    const made: string[] = []
    for (let n = 0; n < 9; n++) made.push(await set(String(n)))
    const versions = await listed()
    assert.equal(new Set(versions.map(({ createdOn }) => createdOn?.getTime())).size, 1)
    assert.equal(versions[0]?.createdOn?.getTime(), start)
    const ids = versions.map(({ version }) => version ?? '')
    assert.deepEqual([...ids].sort(), [...made].sort())
    for (const order of [made, [...made].reverse(), [...made].sort(), [...made].sort().reverse()]) assert.notDeepEqual(ids, order)
    assert.deepEqual(
      (await listed()).map(({ version }) => version),
      ids,
      'the order stays',
    )
  })

  it('tags are of one version, replaced as a whole where they are named and kept where they are not', async () => {
    const first = await set('one', { tags: { a: '1', b: '2' }, contentType: 'text/plain' })
    const second = await set('two')
    assert.equal((await client.getSecret('db')).properties.tags, undefined, 'a new version inherits none')
    await change(first, { tags: { c: '3' } })
    await change(first, { enabled: false })
    const [properties] = (await listed()).filter(({ version }) => version === first)
    assert.deepEqual([properties?.tags, properties?.contentType, properties?.enabled], [{ c: '3' }, 'text/plain', false])
    await change(first, { tags: {}, enabled: true })
    assert.deepEqual((await client.getSecret('db', { version: first })).properties.tags, {})
    assert.equal(await read(second), 'two')
  })

  it('a value is never changed, and a change has its own time', async () => {
    const version = await set('one')
    time += 61_500
    const properties = await change(version, { contentType: 'text/plain' })
    assert.deepEqual([properties.createdOn?.getTime(), properties.updatedOn?.getTime()], [start, start + 61_000])
    assert.equal(await read(version), 'one')
  })

  it('a change leaves what it does not name: state, times, tags', async () => {
    const [notBefore, expiresOn] = [new Date(start - 1000), new Date(start + 86_400_000)]
    const version = await set('one', { enabled: false, notBefore, expiresOn, tags: { a: '1' } })
    const properties = await change(version, { contentType: 'text/plain' })
    assert.deepEqual(
      [properties.enabled, properties.notBefore, properties.expiresOn, properties.tags],
      [false, notBefore, expiresOn, { a: '1' }],
    )
    const moved = await change(version, { notBefore: new Date(start), expiresOn: new Date(start + 1000) })
    assert.deepEqual([moved.notBefore, moved.expiresOn, moved.contentType], [new Date(start), new Date(start + 1000), 'text/plain'])
  })

  it('not-before and expiry are only told: outside of them a value is read all the same', async () => {
    await set('one', { notBefore: new Date(start + 86_400_000), expiresOn: new Date(start - 86_400_000) })
    const { value, properties } = await client.getSecret('db')
    assert.equal(value, 'one')
    assert.deepEqual([properties.notBefore, properties.expiresOn], [new Date(start + 86_400_000), new Date(start - 86_400_000)])
  })

  it('a list of the versions of a name that was never there is empty, and not an error', async () => {
    assert.deepEqual(await listed('nobody'), [])
  })

  it('the client writes a time after 2038 as a negative number, which the double refuses', async () => {
    await fails(set('one', { expiresOn: new Date(Date.UTC(2040, 0, 1)) }), 400, 'BadParameter')
    assert.match(double.calls[0]?.request ?? '', /"exp":-/)
  })
})

describe('secrets', () => {
  it('a version has an id of 32 hexadecimal digits, and names vault and secret in full', async () => {
    const { name, value, properties } = await client.setSecret('db', 'hunter2', { tags: { team: 'a' } })
    assert.match(properties.version ?? '', /^[0-9a-f]{32}$/)
    assert.deepEqual([name, value, properties.id], ['db', 'hunter2', `https://app.vault.azure.net/secrets/db/${properties.version}`])
    assert.deepEqual(
      [properties.enabled, properties.recoveryLevel, properties.recoverableDays, properties.tags],
      [true, 'Recoverable+Purgeable', 90, { team: 'a' }],
    )
  })

  it('each vault has its own secrets', async () => {
    const other = clientOf(double, { vault: 'staging' })
    await set('one')
    await fails(other.getSecret('db'), 404, 'SecretNotFound')
    await other.setSecret('db', 'two')
    assert.equal(await read(), 'one')
    assert.deepEqual(
      ['app', 'staging'].map((vault) => double.versions('db', vault).map(({ value }) => value)),
      [['one'], ['two']],
    )
    double.addVault('late')
    assert.deepEqual(await all(clientOf(double, { vault: 'late' }).listPropertiesOfSecrets()), [])
  })

  it('upper and lower case name the same secret', async () => {
    await set('one')
    await set('two', {}, 'DB')
    assert.deepEqual([await read(), double.versions('Db').length], ['two', 2])
  })

  it('what is not there is not found, by name and by version', async () => {
    await fails(read(), 404, 'SecretNotFound', undefined, /^A secret with \(name\/id\) db was not found in this key vault\./)
    await set('one')
    const unknown = 'f'.repeat(32)
    await fails(read(unknown), 404, 'SecretNotFound', undefined, new RegExp(`\\(name/id\\) db/${unknown} was not found`))
    await fails(change(unknown, { enabled: false }), 404, 'SecretNotFound')
    await fails(client.beginDeleteSecret('nobody'), 404, 'SecretNotFound')
    assert.equal(double.writesOf('db'), 1)
  })

  it('keeps to the limits of names, values, content types and tags', async () => {
    const many = (count: number, text = 'x') => Object.fromEntries(Array.from({ length: count }, (_, n) => [`t${n}`, text]))
    await set('ü'.repeat(12_800), { tags: many(15, 'x'.repeat(512)), contentType: 'x'.repeat(255) }, 'a'.repeat(127))
    const refused: readonly (readonly [name: string, value: string, more: object])[] = [
      ['a'.repeat(128), 'x', {}],
      ['a_b', 'x', {}],
      ['a.b', 'x', {}],
      ['db', `${'ü'.repeat(12_800)}x`, {}],
      ['db', 'x', { tags: many(16) }],
      ['db', 'x', { tags: many(1, 'x'.repeat(513)) }],
      ['db', 'x', { tags: { ['x'.repeat(513)]: 'x' } }],
      ['db', 'x', { contentType: 'x'.repeat(256) }],
    ]
    for (const [name, value, more] of refused) await fails(set(value, more, name), 400, 'BadParameter')
    assert.equal(double.vault().secrets.size, 1, 'what was refused changed nothing')
    const version = await set('one', { tags: { a: '1' } })
    await fails(change(version, { tags: many(16) }), 400, 'BadParameter')
    assert.deepEqual(double.versions('db')[0]?.tags, { a: '1' })
  })

  it('lists secrets once each, without version and value, with what their newest version has', async () => {
    await set('one', { tags: { n: '1' } })
    await set('two', { tags: { n: '2' }, enabled: false })
    await set('other', {}, 'api')
    const bodies: unknown[] = []
    const sendRequest: PipelinePolicy['sendRequest'] = async (request, next) => {
      const answer = await next(request)
      bodies.push(answer.bodyAsText)
      return answer
    }
    client = clientOf(double, { additionalPolicies: [{ policy: { name: 'seen', sendRequest }, position: 'perCall' }] })
    const secrets = await all(client.listPropertiesOfSecrets())
    const db = secrets.find(({ name }) => name === 'db')
    assert.deepEqual(secrets.map(({ name }) => name).sort(), ['api', 'db'])
    assert.deepEqual([db?.id, db?.version, db?.tags, db?.enabled], ['https://app.vault.azure.net/secrets/db', undefined, { n: '2' }, false])
    await listed()
    await client.beginDeleteSecret('api')
    await all(client.listDeletedSecrets())
    assert.ok(bodies.length >= 4)
    assert.doesNotMatch(bodies.join(), /"value":"|one|two|other/)
  })

  it('lists by pages of at most 25, and continues where it was whatever is made meanwhile', async () => {
    const made: string[] = []
    for (let n = 0; n < 30; n++) made.push(await set(String(n)))
    assert.deepEqual((await listed()).map(({ version }) => version ?? '').sort(), [...made].sort())
    assert.equal(double.count('GetSecretVersions'), 2)
    const seen: string[] = []
    for await (const page of client.listPropertiesOfSecretVersions('db').byPage({ maxPageSize: 7 })) {
      assert.ok(page.length <= 7)
      seen.push(...page.map(({ version }) => version ?? ''))
      await set('late')
    }
    assert.deepEqual(
      made.filter((id) => !seen.includes(id)),
      [],
    )
    assert.equal(new Set(seen).size, seen.length)
    for (const maxPageSize of [26, -1]) {
      const pages = client.listPropertiesOfSecretVersions('db').byPage({ maxPageSize })
      await fails(all(pages), 400, 'BadParameter')
    }
    double.pageSize = 1
    double.calls.length = 0
    await set('x', {}, 'api')
    assert.equal((await all(client.listPropertiesOfSecrets())).length, 2)
    assert.equal(double.count('GetSecrets'), 2)
  })
})

describe('deletion', () => {
  it('takes the whole secret out of reads and lists, and keeps its name', async () => {
    const version = await set('one', { tags: { a: '1' } })
    await set('two')
    const deleted = (await client.beginDeleteSecret('db')).getResult()
    assert.equal(deleted?.value, undefined)
    assert.deepEqual(
      [deleted?.recoveryId, deleted?.deletedOn?.getTime(), deleted?.scheduledPurgeDate?.getTime()],
      ['https://app.vault.azure.net/deletedsecrets/db', start, start + 90 * 86_400_000],
    )
    for (const call of [read(), read(version), change(version, { enabled: false })]) await fails(call, 404, 'SecretNotFound')
    assert.deepEqual([await listed(), await all(client.listPropertiesOfSecrets())], [[], []])
    const text =
      'Secret db is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.'
    await fails(set('three'), 409, 'Conflict', 'ObjectIsDeletedButRecoverable', new RegExp(`^${text.replaceAll('.', '\\.')}$`))
    const [inList] = await all(client.listDeletedSecrets())
    assert.deepEqual([inList?.name, (await client.getDeletedSecret('db')).name], ['db', 'db'])
  })

  it('is taken back with all versions', async () => {
    const version = await set('one')
    await set('two')
    await client.beginDeleteSecret('db')
    const recovery = await client.beginRecoverDeletedSecret('db')
    assert.equal((await recovery.pollUntilDone()).name, 'db')
    assert.deepEqual([await read(version), await read()], ['one', 'two'])
    await fails(client.getDeletedSecret('db'), 404, 'SecretNotFound')
    assert.deepEqual(await all(client.listDeletedSecrets()), [])
  })

  it('is final with a purge or when its time is over, and a protected vault refuses the purge', async () => {
    await set('one')
    await client.beginDeleteSecret('db')
    double.vault().purgeProtected = true
    await fails(client.purgeDeletedSecret('db'), 403, 'Forbidden')
    double.vault().purgeProtected = false
    await client.purgeDeletedSecret('db')
    await fails(client.purgeDeletedSecret('db'), 404, 'SecretNotFound')
    await set('two')
    assert.equal(double.versions('db').length, 1)
    double.vault().retentionDays = 7
    const deleted = (await client.beginDeleteSecret('db')).getResult()
    assert.equal(deleted?.properties.recoveryLevel, 'CustomizedRecoverable+Purgeable')
    time += 7 * 86_400_000
    await fails(client.getDeletedSecret('db'), 404, 'SecretNotFound')
  })

  it('of a secret that is disabled cannot be read', async () => {
    await set('one', { enabled: false })
    await client.beginDeleteSecret('db')
    await fails(client.getDeletedSecret('db'), 403, 'Forbidden', 'SecretDisabled')
  })
})

describe('the ways to come here', () => {
  it('the same calls get the same answers over TLS and without sockets', async () => {
    const walk = async (options: object) => {
      double.reset()
      client = clientOf(double, options)
      const said: unknown[] = []
      for (const value of ['one', 'two']) said.push(await client.setSecret('db', value, { tags: { a: 'b' } }))
      said.push(await listed(), await client.getSecret('db'), (await client.beginDeleteSecret('db')).getResult())
      for (const call of [read(), set('three'), set('x', {}, 'a_b')]) said.push({ ...(await refusalOf(call)) })
      double.fault = () => 'lost'
      const { message, code } = await refusalOf(read())
      return [...said, message, code, double.calls, double.challenges]
    }
    assert.deepEqual(await walk(double.inProcessOptions), await walk({}))
  })

  it('a vault that is not there does not resolve, for either', async () => {
    for (const options of [{}, double.inProcessOptions]) {
      const { code, message } = await refusalOf(clientOf(double, { vault: 'nobody', ...options }).getSecret('db'))
      assert.deepEqual([code, message], ['ENOTFOUND', 'getaddrinfo ENOTFOUND nobody.vault.azure.net'])
    }
  })

  it('a double without a server answers without sockets alone', async () => {
    const small = KeyVaultDouble.inProcess(() => time, { vaults: ['v'], suffix: 'vault.azure.cn' })
    const made = await new SecretClient(small.url(), tokenOf(), small.inProcessOptions).setSecret('db', 'one')
    assert.match(made.properties.id ?? '', /^https:\/\/v\.vault\.azure\.cn\/secrets\/db\//)
    assert.throws(() => small.clientOptions)
    await small.close()
  })

  it('a name of loopback needs the challenge unverified; a server whose certificate nobody vouches for is not talked to', async () => {
    const options = { ...double.clientOptions, retryOptions: { maxRetries: 0 } }
    const { message } = await refusalOf(new SecretClient(double.loopbackUrl(), tokenOf(), options).setSecret('db', 'one'))
    assert.match(message, /does not match the requested domain/)
    const unverified = { ...options, disableChallengeResourceVerification: true }
    const made = await new SecretClient(double.loopbackUrl(), tokenOf(), unverified).setSecret('db', 'one')
    assert.equal(made.properties.vaultUrl, double.loopbackUrl())
    const calls = double.count()
    const tlsOptions = { ...double.clientOptions.tlsOptions, ca: new Authority().ca }
    await assert.rejects(clientOf(double, { tlsOptions }).getSecret('db'), /certificate/)
    assert.equal(double.count(), calls)
  })

  it('serves every call of the client, but for backup and restore', async () => {
    await fails(client.backupSecret('db'), 400, 'BadParameter')
    const source = readFileSync('node_modules/@azure/keyvault-secrets/dist/esm/api/operations.d.ts', 'utf8')
    const theirs = [...source.matchAll(/export declare function ([a-z]\w+)\(/g)].map(([, name = '']) => name.toLowerCase())
    const served = operationNames.map((name) => name.toLowerCase())
    assert.deepEqual(theirs.filter((name) => !served.includes(name)).sort(), ['backupsecret', 'restoresecret'])
    assert.deepEqual(
      served.filter((name) => !theirs.includes(name)),
      [],
    )
  })
})
