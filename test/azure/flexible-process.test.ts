import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AzureIdentity } from '../harness/azure-identity.js'
import { AzureManagementDouble, type FlexibleServer, idOf } from '../harness/azure-management.js'
import { Azurite, azuriteSkip } from '../harness/azurite.js'
import { Keyturn } from '../harness/cli-process.js'
import { ConnectProxy } from '../harness/connect-proxy.js'
import { KeyVaultDouble } from '../harness/key-vault.js'
import { Authority } from '../harness/pg-certificates.js'
import { repository } from '../harness/repository.js'
import { suite } from '../harness/suite.js'
import { TlsFront } from '../harness/tls-front.js'

const first = 'First"%\'\\-0123456789'
const value = JSON.stringify({ username: 'app', password: first, note: 'stays' })
const management = 'https://management.azure.com'

/** The whole program as it is, with Microsoft's credentials and host names: only the ways to vault and control plane are others. */
suite(
  'keyturn as a process, with the administrator of a flexible server, over Key Vault',
  azuriteSkip,
  ({ after, afterEach, before, beforeEach, it }) => {
    let vault: KeyVaultDouble
    let double: AzureManagementDouble
    let identity: AzureIdentity
    let azurite: Azurite
    let proxy: ConnectProxy
    let front: TlsFront
    let keyturn: Keyturn
    let server: FlexibleServer
    const authority = new Authority()
    before(async () => {
      vault = await KeyVaultDouble.open(() => Date.now())
      double = await AzureManagementDouble.open()
      identity = await AzureIdentity.open()
      azurite = await Azurite.start()
      proxy = await ConnectProxy.open(vault.port)
      front = await TlsFront.open(authority, new Map([['management.azure.com', double.port]]))
    })
    after(async () => {
      await front?.close()
      await proxy?.close()
      await azurite?.stop()
      await identity?.close()
      await double?.close()
      await vault?.close()
    })
    beforeEach(async () => {
      vault.reset()
      identity.reset()
      double.reset()
      Object.assign(double, { pendingMs: 100, runningMs: 200, retryAfter: 1 })
      server = double.make({ provider: 'Microsoft.DBforMySQL', password: first })
      vault.wantsToken = (token) => identity.judge(token)
      double.wantsToken = (token) => identity.judge(token, identity.tenant, management)
      keyturn = await Keyturn.open(new URL('../../cli/main.js', import.meta.url))
      keyturn.processes = true
      const ca = join(keyturn.folder, 'ca.pem')
      await writeFile(ca, `${vault.ca}\n${authority.ca}`)
      keyturn.env = {
        ...identity.env,
        ...front.env,
        NODE_OPTIONS: `--require=${join(repository, 'test/harness/gcp-redirect.cjs')}`,
        NODE_EXTRA_CA_CERTS: ca,
        HTTPS_PROXY: proxy.url,
        NO_PROXY: '127.0.0.1',
        KEYTURN_AZURE_VAULTS: 'app',
        KEYTURN_AZURE_STORAGE: azurite.connectionString,
      }
    })
    afterEach(async () => {
      const said = `${keyturn.said}${[...keyturn.commandLines].join('\n')}`
      for (const password of [first, ...double.operations.map((one) => one.password)])
        for (const text of [password, JSON.stringify(password).slice(1, -1), encodeURIComponent(password)]) assert.ok(!said.includes(text))
      await azurite.reset()
      await keyturn.close()
    })
    const adopted = async (ref: string): Promise<void> => {
      await keyturn.ok(['put', ref], { stdin: value })
      await keyturn.ok(['adopt', ref, '--rotator', 'azure-flexible-server', `resource-id=${idOf(server)}`, 'proven-by=answer'])
    }
    const latest = (): string => (JSON.parse(vault.versions('db').at(-1)?.value ?? '{}') as { password: string }).password

    it('sets the password with a token of its identity for the control plane, over TLS, and publishes it', async () => {
      await adopted('azure:db')
      assert.equal((await keyturn.ok(['rotate', 'azure:db'])).outcome, 'published')
      assert.notEqual(server.password, first)
      assert.equal(latest(), server.password)
      const asked = new Set(identity.calls.map(({ resource }) => resource))
      assert.ok(asked.has('https://vault.azure.net') && asked.has(management), [...asked].join(' '))
      assert.equal((await keyturn.ok(['status', 'azure:db'])).proof, 'answer')
      assert.equal((await keyturn.ok(['verify', 'azure:db'])).proof, 'answer')
    })

    it('killed while the operation runs: the next process sends the same password again', async () => {
      await keyturn.ok(['init'])
      await adopted('file:db')
      double.runningMs = 3_600_000
      const running = keyturn.spawn(['rotate', 'file:db'])
      const end = keyturn.finish(running)
      running.stdin?.end()
      while (double.operations.length === 0) await delay(20)
      running.kill('SIGKILL')
      await end
      assert.equal(await keyturn.password('db'), first)
      double.runningMs = 200
      assert.equal((await keyturn.ok(['rotate', 'file:db', '--resume'])).outcome, 'published')
      assert.equal(new Set(double.operations.map(({ password }) => password)).size, 1)
      assert.equal(await keyturn.password('db'), server.password)
    })

    it('an authority that nobody knows is refused before the password is sent', async () => {
      await keyturn.ok(['init'])
      await adopted('file:db')
      const { NODE_EXTRA_CA_CERTS: _, ...env } = keyturn.env
      keyturn.env = env
      await keyturn.fails(['rotate', 'file:db'], 'target_unreachable')
      assert.deepEqual([double.sent, server.password], [0, first])
    })
  },
)
