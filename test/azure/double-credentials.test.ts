import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { DefaultAzureCredential, ManagedIdentityCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { AzureIdentity } from '../harness/azure-identity.js'
import { all, clientOf, fails, refusalOf, tokenOf } from '../harness/key-vault/client.js'
import { operations } from '../harness/key-vault/operations.js'
import { KeyVaultDouble } from '../harness/key-vault.js'

const start = Date.UTC(2026, 0, 5, 12)
let double: KeyVaultDouble
let client: SecretClient

before(async () => {
  double = await KeyVaultDouble.open(() => start, { tenant: 'tenant-a' })
})
after(() => double.close())
beforeEach(() => {
  double.reset()
  client = clientOf(double)
})

describe('the challenge', () => {
  it('the first request has no token and no body, and is answered by where to get one; each client asks once', async () => {
    const token = tokenOf()
    client = new SecretClient(double.url(), token, double.clientOptions)
    await client.setSecret('db', 'one')
    assert.deepEqual(token.asked, [{ scopes: ['https://vault.azure.net/.default'], tenantId: 'tenant-a' }])
    assert.deepEqual([double.challenges, double.count()], [1, 1])
    assert.match(double.calls[0]?.request ?? '', /"value":"one"/)
    await client.getSecret('db')
    await all(client.listPropertiesOfSecretVersions('db'))
    assert.deepEqual([double.challenges, double.count()], [1, 3])
  })

  it('names the tenant of the vault', async () => {
    double.addVault('abroad', 'tenant-b')
    const token = tokenOf()
    await new SecretClient(double.url('abroad'), token, double.clientOptions).setSecret('db', 'one')
    assert.equal(token.asked[0]?.tenantId, 'tenant-b')
  })

  it('a vault of another host than its challenge names is not given a token', async () => {
    const token = tokenOf()
    const elsewhere = new SecretClient(double.loopbackUrl(), token, { ...double.clientOptions, retryOptions: { maxRetries: 0 } })
    await assert.rejects(elsewhere.getSecret('db'), /does not match the requested domain/)
    assert.deepEqual([token.asked, double.count()], [[], 0])
  })
})

describe('a token', () => {
  it('that the vault does not take is 401, by why; the client sends each twice', async () => {
    const cases = [
      ['another', /S2S17001/],
      [() => false, /S2S17001/],
      [() => 'expired' as const, /^\[TokenExpired\] Error validating token: 'S2S12086'\.$/],
      [() => ({ issuedIn: 'tenant-b' }), /^AKV10032: Invalid issuer\. Expected one of .*\/tenant-a\/, found .*\/tenant-b\/\.$/],
    ] as const
    await client.setSecret('db', 'one')
    for (const [wants, text] of cases) {
      double.wantsToken = wants
      double.calls.length = 0
      await fails(client.setSecret('db', 'two'), 401, 'Unauthorized', undefined, text)
      assert.equal(double.count('SetSecret'), 2)
    }
    assert.equal(double.versions('db').length, 1)
  })

  it('is judged for each vault, and by its text', async () => {
    const asked: string[] = []
    double.wantsToken = (token, vault) => {
      asked.push(`${token} ${vault}`)
      return vault === 'app'
    }
    await client.setSecret('db', 'one')
    await fails(clientOf(double, { vault: 'staging' }).setSecret('db', 'one'), 401, 'Unauthorized')
    assert.deepEqual([...new Set(asked)], ['a-token app', 'a-token staging'])
    double.wantsToken = 'a-token'
    await client.setSecret('db', 'two')
  })
})

describe('what is refused', () => {
  const get = operations.GetSecret.action

  it('a role that is missing is 403 with the action, before it is said whether the secret is there', async () => {
    double.deny.add(get)
    await fails(
      client.getSecret('nobody'),
      403,
      'Forbidden',
      'ForbiddenByRbac',
      /Action: 'Microsoft\.KeyVault\/vaults\/secrets\/getSecret\/action'/,
    )
    const { message } = await refusalOf(client.getSecret('db'))
    assert.match(message, /^Caller is not authorized to perform action on resource\./)
    assert.match(message, /microsoft\.keyvault\/vaults\/app\/secrets\/db'/)
    assert.deepEqual(await all(client.listPropertiesOfSecretVersions('db')), [], 'another action')
    double.deny.add(operations.SetSecret.action)
    await fails(client.setSecret('db', 'one'), 403, 'Forbidden', 'ForbiddenByRbac', /setSecret\/action/)
    assert.equal(double.versions('db').length, 0)
  })

  it('a role may be missing on one secret, or in one vault', async () => {
    double.mayNot = (action, secret, vault) => action === get && secret === 'db' && vault === 'app'
    for (const vault of ['app', 'staging']) for (const name of ['db', 'api']) await clientOf(double, { vault }).setSecret(name, 'one')
    await fails(client.getSecret('db'), 403, 'Forbidden', 'ForbiddenByRbac')
    assert.equal((await client.getSecret('api')).value, 'one')
    assert.equal((await clientOf(double, { vault: 'staging' }).getSecret('db')).value, 'one')
  })

  it('an address that the firewall refuses is 403 for every call of that vault, whatever the role', async () => {
    double.vault().refusesAddress = true
    double.deny.add(get)
    const text = /^Client address is not authorized and caller is not a trusted service\./
    await fails(client.getSecret('db'), 403, 'Forbidden', 'ForbiddenByFirewall', text)
    await fails(client.setSecret('db', 'one'), 403, 'Forbidden', 'ForbiddenByFirewall')
    await clientOf(double, { vault: 'staging' }).setSecret('db', 'one')
  })

  it('a list that is refused keeps the outer code alone: the client loses why', async () => {
    double.deny.add(operations.GetSecrets.action)
    const refused = (): Promise<unknown> => all(client.listPropertiesOfSecretVersions('db'))
    await fails(refused(), 403, 'Forbidden', undefined, /^Pagination failed with unexpected statusCode 403$/)
    double.vault().refusesAddress = true
    await fails(refused(), 403, 'Forbidden', undefined, /^Pagination failed with unexpected statusCode 403$/)
  })
})

describe('the identity of a function', () => {
  const variables = [
    'IDENTITY_ENDPOINT',
    'IDENTITY_HEADER',
    'AZURE_TOKEN_CREDENTIALS',
    'AZURE_CLIENT_ID',
    'AZURE_TENANT_ID',
    'PATH',
  ] as const
  const kept = Object.fromEntries(variables.map((name) => [name, process.env[name]]))
  const connect = Socket.prototype.connect
  /** Every host that this process has tried to connect to. */
  const reached: string[] = []
  let identity: AzureIdentity
  let clients = 0

  before(async () => {
    identity = await AzureIdentity.open({ tenant: 'tenant-a' })
  })
  after(() => identity.close())
  beforeEach(() => {
    identity.reset()
    double.wantsToken = (token) => identity.judge(token)
    for (const name of variables) if (name !== 'PATH') delete process.env[name]
    Object.assign(process.env, identity.env, { PATH: '' })
    reached.length = 0
    Socket.prototype.connect = function (this: Socket, ...given: unknown[]) {
      const options: unknown = Array.isArray(given[0]) ? given[0][0] : given[0]
      reached.push(String(typeof options === 'object' && options !== null && 'host' in options ? options.host : options))
      return Reflect.apply(connect, this, given)
    } as typeof connect
  })
  afterEach(() => {
    Socket.prototype.connect = connect
    for (const name of variables) {
      delete process.env[name]
      if (kept[name] !== undefined) process.env[name] = kept[name]
    }
  })
  /** A token is kept for all of the process by client id: each test has its own. */
  const clientId = (): string => {
    clients += 1
    identity.assigned.add(`client-${clients}`)
    return `client-${clients}`
  }
  const reachedElsewhere = () => reached.filter((host) => host !== '127.0.0.1' && host !== 'app.vault.azure.net')
  const by = (credential: ManagedIdentityCredential | DefaultAzureCredential) =>
    new SecretClient(double.url(), credential, { ...double.clientOptions, retryOptions: { maxRetries: 0 } })

  it('the unmodified credential takes its token from the endpoint, and keeps it', async () => {
    await by(new ManagedIdentityCredential()).setSecret('db', 'one')
    await by(new ManagedIdentityCredential()).setSecret('db', 'two')
    assert.deepEqual(identity.calls, [
      { resource: 'https://vault.azure.net', apiVersion: '2019-08-01', clientId: undefined, header: identity.header },
    ])
    assert.deepEqual([double.versions('db').length, reached.includes('127.0.0.1'), reachedElsewhere()], [2, true, []])
  })

  it('an identity is asked for by its client id, and must be assigned', async () => {
    const id = clientId()
    await by(new ManagedIdentityCredential(id)).setSecret('db', 'one')
    assert.equal(identity.calls[0]?.clientId, id)
    await assert.rejects(by(new ManagedIdentityCredential('stranger')).getSecret('db'), {
      name: 'CredentialUnavailableError',
      message: /No such identity is assigned/,
    })
  })

  it('the default credential comes to it, with the choice narrowed or not, and asks nobody else', async () => {
    for (const narrowed of [undefined, 'prod', 'ManagedIdentityCredential']) {
      if (narrowed !== undefined) process.env.AZURE_TOKEN_CREDENTIALS = narrowed
      process.env.AZURE_CLIENT_ID = clientId()
      await by(new DefaultAzureCredential()).setSecret('db', 'one')
      assert.equal(identity.calls.at(-1)?.clientId, process.env.AZURE_CLIENT_ID)
    }
    assert.deepEqual([identity.calls.length, double.versions('db').length, reachedElsewhere()], [3, 3, []])
  })

  it('narrowed to this one credential, the default one forgets the client id that its code named: only the variable counts', async () => {
    process.env.AZURE_CLIENT_ID = clientId()
    for (const narrowed of [undefined, 'ManagedIdentityCredential']) {
      if (narrowed !== undefined) process.env.AZURE_TOKEN_CREDENTIALS = narrowed
      await by(new DefaultAzureCredential({ managedIdentityClientId: clientId() })).setSecret('db', 'one')
    }
    const [named, variable] = identity.calls.map((call) => call.clientId)
    assert.notEqual(named, process.env.AZURE_CLIENT_ID)
    assert.equal(variable, process.env.AZURE_CLIENT_ID)
  })

  it('a wrong header, an identity that is not there or an endpoint that fails: no token, and no call', async () => {
    identity.header = 'a-new-one'
    await assert.rejects(by(new ManagedIdentityCredential(clientId())).getSecret('db'), /The header does not match/)
    identity.header = process.env.IDENTITY_HEADER ?? ''
    identity.fault = (_, n) => (n === 2 ? 400 : undefined)
    await assert.rejects(by(new ManagedIdentityCredential(clientId())).getSecret('db'), /As the test says/)
    Object.assign(process.env, { AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential', AZURE_CLIENT_ID: 'stranger' })
    await assert.rejects(by(new DefaultAzureCredential()).getSecret('db'), /No such identity is assigned/)
    assert.deepEqual([identity.calls.length, double.count(), reachedElsewhere()], [3, 0, []])
  })

  it('without an identity, the default credential goes through the tools of a developer, which are not there', async () => {
    const missing = new DefaultAzureCredential({ managedIdentityClientId: 'stranger' })
    const { message } = await refusalOf(by(missing).getSecret('db'))
    assert.match(message, /No such identity is assigned[\s\S]*Azure CLI/)
    assert.deepEqual([double.count(), reachedElsewhere()], [0, []])
  })

  it('a token of another tenant, or for another service, is not taken', async () => {
    identity.tenant = 'tenant-b'
    double.wantsToken = (token) => identity.judge(token, 'tenant-a')
    const abroad = by(new ManagedIdentityCredential(clientId()))
    await fails(abroad.getSecret('db'), 401, 'Unauthorized', undefined, /^AKV10032: Invalid issuer/)
    double.wantsToken = (token) => identity.judge(token, 'tenant-b', 'https://storage.azure.com')
    await fails(abroad.getSecret('db'), 401, 'Unauthorized', undefined, /S2S17001/)
  })

  it('a token that is over is refused by the clock of who issued it', async () => {
    let time = Date.now()
    const other = await AzureIdentity.open({ now: () => time })
    const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header } = other.env
    const answer = await fetch(`${endpoint}?api-version=2019-08-01&resource=https://vault.azure.net`, {
      headers: { 'x-identity-header': header },
    })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    assert.equal(other.judge(token), true)
    time += other.expiresInSeconds * 1000 + 1000
    double.wantsToken = () => other.judge(token)
    await fails(client.getSecret('db'), 401, 'Unauthorized', undefined, /TokenExpired/)
    await other.close()
  })

  it('the endpoint answers only what it is asked for as the platform says', async () => {
    const ask = async (query: string, headers: Record<string, string> = { 'x-identity-header': identity.header }, path = '') => {
      const { status } = await fetch(`${identity.env.IDENTITY_ENDPOINT}${path}?${query}`, { headers })
      return status
    }
    const whole = 'api-version=2019-08-01&resource=https://vault.azure.net'
    assert.deepEqual([await ask(whole), await ask(whole, {}), await ask(whole, { 'x-identity-header': 'x' })], [200, 401, 401])
    assert.deepEqual(
      [await ask('api-version=2019-08-01'), await ask('resource=x&api-version=2017-09-01'), await ask(whole, undefined, '/x')],
      [400, 400, 404],
    )
    identity.hasOwn = false
    assert.equal(await ask(whole), 400)
  })
})
