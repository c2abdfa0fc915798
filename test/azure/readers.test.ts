import assert from 'node:assert/strict'
import { SecretClient } from '@azure/keyvault-secrets'
import { eventOf } from '../../shared/core/cloud-event.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { retirePass } from '../../shared/lifecycle/retirement/retire.js'
import { AzureKeyVaultAdmin } from '../../shared/stores/azure-key-vault/admin.js'
import { secretOptions } from '../../shared/stores/azure-key-vault/client.js'
import { ClockedBlobs, openerOf, vaultHost } from '../harness/azure.js'
import { Azurite, azuriteSkip } from '../harness/azurite.js'
import { addConsumers } from '../harness/consumers.js'
import type { FakeEnv } from '../harness/fake-env.js'
import { clientOf, tokenOf } from '../harness/key-vault/client.js'
import { KeyVaultDouble } from '../harness/key-vault.js'
import { suite } from '../harness/suite.js'
import { type MemoryClass, World } from '../harness/world.js'

const dayMs = 86_400_000

suite('who reads a secret in Azure Key Vault', azuriteSkip, ({ after, before, it }) => {
  let azurite: Azurite
  let count = 0
  before(async () => {
    azurite = await Azurite.start()
  })
  after(() => azurite?.stop())

  /** A world whose every call of the vault goes over TLS, by the unmodified client. */
  async function open(rotator: MemoryClass) {
    let double: KeyVaultDouble | undefined
    const openStore = async (env: FakeEnv) => {
      double = await KeyVaultDouble.open(() => env.time)
      const { clientOptions } = double
      const blobs = new ClockedBlobs(azurite, env)
      const opener = {
        ...openerOf({ double, blobs, azurite }),
        secrets: (host: string) => new SecretClient(`https://${host}`, tokenOf(), { ...secretOptions, ...clientOptions }),
      }
      const container = `readers-${++count}`
      return new AzureKeyVaultAdmin({ env, vaults: [vaultHost], storage: { url: azurite.endpoint }, container, open: opener })
    }
    const world = await World.open(rotator, openStore, `azure-readers-${count}`, { 'keyturn-consumers': 'c0-prompt' })
    const [consumer = assert.fail('no consumer')] = addConsumers(world, [['prompt', true]])
    const tell = () => world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    await tell()
    const told = (): string => String(eventOf(consumer.told.at(-1) ?? assert.fail('nothing was told'), { key: 'one' }).data?.resource)
    return { world, tell, told, double: double ?? assert.fail('no double') }
  }

  it('is told the whole name of the version, and reads by it what was published', async () => {
    const { world, tell, told, double } = await open('a')
    const client = clientOf(double)
    for (let turn = 0; turn < 2; turn++) {
      world.env.time += dayMs
      await world.run(world.newProcess(), { at: world.env.time })
      await tell()
      const [, version = ''] = /^https:\/\/app\.vault\.azure\.net\/secrets\/db\/([0-9a-f]{32})$/.exec(told()) ?? assert.fail(told())
      assert.equal((await client.getSecret('db', { version })).value, await world.currentText())
    }
    await double.close()
  })

  for (const rotator of ['a', 'b'] as const) {
    it(`over the wire and without pause, by the newest and by the version: no untested value, no failed read (${rotator})`, async () => {
      const { world, tell, told, double } = await open(rotator)
      const client = clientOf(double)
      /** From the moment on at which the target accepted a login with it. */
      const isTested = (text: string): boolean => {
        const { username, password } = JSON.parse(text) as { username: string; password: string }
        const { logins } = world.target
        return text === world.firstValue || logins.some((one) => one.accepted && one.user === username && one.secret === password)
      }
      const seen: Record<string, number> = {}
      let isOver = false
      const look = async (reader: string, versionOf: () => string | undefined): Promise<void> => {
        while (!isOver) {
          const version = versionOf()
          const { value = '' } = await client.getSecret('db', version === undefined ? {} : { version })
          assert.ok(isTested(value), `${reader} read it untested`)
          seen[reader] = (seen[reader] ?? 0) + 1
        }
      }
      const rotated = async (): Promise<void> => {
        world.env.time += dayMs
        await world.act(world.newProcess(), (deps) => retirePass(deps, world.ref.shown))
        await world.run(world.newProcess(), { at: world.env.time })
        await tell()
      }
      await rotated()
      const readers = [look('newest', () => undefined), look('version', () => told().split('/').at(-1))]
      const rotations = (async () => {
        for (let turn = 0; turn < 3; turn++) await rotated()
      })().finally(() => {
        isOver = true
      })
      await Promise.all([rotations, ...readers])
      assert.equal(await world.published(), 4)
      for (const reader of ['newest', 'version']) assert.ok((seen[reader] ?? 0) > 20, `${reader}: ${seen[reader]} looks`)
      await double.close()
    })
  }
})
