import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AzureIdentity } from '../harness/azure-identity.js'
import { Azurite, azuriteSkip } from '../harness/azurite.js'
import { Keyturn } from '../harness/cli-process.js'
import { ConnectProxy } from '../harness/connect-proxy.js'
import { KeyVaultDouble } from '../harness/key-vault.js'
import { suite } from '../harness/suite.js'

const host = 'app.vault.azure.net'
const value = '{"api_key": "the-first-value-of-them-all"}'

/** The whole program as it is, with Microsoft's clients and host names: only the way to the vault is another. */
suite('keyturn as a process, with a managed identity of Azure', azuriteSkip, ({ after, afterEach, before, beforeEach, it }) => {
  let double: KeyVaultDouble
  let identity: AzureIdentity
  let azurite: Azurite
  let proxy: ConnectProxy
  let keyturn: Keyturn
  before(async () => {
    double = await KeyVaultDouble.open(() => Date.now())
    identity = await AzureIdentity.open()
    azurite = await Azurite.start()
    proxy = await ConnectProxy.open(double.port)
  })
  after(async () => {
    await proxy?.close()
    await azurite?.stop()
    await identity?.close()
    await double?.close()
  })
  beforeEach(async () => {
    double.reset()
    identity.reset()
    proxy.asked.length = 0
    keyturn = await Keyturn.open(new URL('../../cli/main.js', import.meta.url))
    keyturn.processes = true
    const ca = join(keyturn.folder, 'ca.pem')
    await writeFile(ca, double.ca)
    keyturn.env = {
      ...identity.env,
      HTTPS_PROXY: proxy.url,
      NO_PROXY: '127.0.0.1', // the client takes that proxy for http, too
      NODE_EXTRA_CA_CERTS: ca,
      HOME: keyturn.folder,
      KEYTURN_AZURE_VAULTS: 'app',
      KEYTURN_AZURE_STORAGE: azurite.connectionString,
    }
    double.wantsToken = (token) => identity.judge(token)
  })
  afterEach(async () => {
    assert.ok(!keyturn.said.includes('the-first-value'))
    await azurite.reset()
    await keyturn.close()
  })
  const rotated = async (): Promise<void> => {
    await keyturn.ok(['put', 'azure:db'], { stdin: value })
    await keyturn.ok(['adopt', 'azure:db', '--rotator', 'random', 'form=api-key', 'spelling=change'])
    assert.equal((await keyturn.ok(['rotate', 'azure:db'])).outcome, 'published')
    assert.equal(double.versions('db').length, 2)
  }

  it('rotates with the token of its identity, over TLS', async () => {
    await rotated()
    assert.ok(identity.calls.length > 0)
    assert.deepEqual([...new Set(proxy.asked)], [`${host}:443`])
    assert.equal((await keyturn.ok(['status', 'azure:db'])).ref, 'azure:app/db')
  })

  it('says that a token is not taken, and what to do', async () => {
    double.wantsToken = 'another'
    const { next } = await keyturn.fails(['status', 'azure:db'], 'denied')
    assert.match(next, /tenant/)
  })

  it('an authority that nobody knows is refused: TLS is verified', async () => {
    const { NODE_EXTRA_CA_CERTS: _, ...env } = keyturn.env
    keyturn.env = env
    const { message } = await keyturn.fails(['status', 'azure:db'], 'bad_config', 'NODE_EXTRA_CA_CERTS')
    assert.match(message, /the certificate of app\.vault\.azure\.net is not trusted/)
    assert.equal(double.calls.length, 0)
  })

  it('writes no value where the vendor’s own log is at its loudest', async () => {
    keyturn.env = { ...keyturn.env, AZURE_LOG_LEVEL: 'verbose' }
    for (const [words, setting] of [
      [['put', 'azure:db'], { stdin: value }],
      [['adopt', 'azure:db', '--rotator', 'random', 'form=api-key', 'spelling=change'], {}],
      [['rotate', 'azure:db'], {}],
    ] as const)
      assert.equal((await keyturn.run(words, setting)).code, 0, words.join(' '))
    assert.match(keyturn.said, /azure:keyvault-secrets:info/)
    assert.match(keyturn.said, /azure:storage-blob:info/)
    for (const { value: each } of [...double.versions('db'), ...double.versions('db-pending')]) {
      const secret = /"api_key": ?"([^"]+)"/.exec(each)?.[1]
      if (secret !== undefined) assert.ok(!keyturn.said.includes(secret))
    }
    assert.ok(!keyturn.said.includes(azurite.connectionString.split('AccountKey=')[1]?.slice(0, 40) ?? '?'))
  })
})
