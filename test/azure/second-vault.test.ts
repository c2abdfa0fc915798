import assert from 'node:assert/strict'
import { codeOf } from '../../shared/core/errors.js'
import type { Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { AzureServices, openAzure } from '../harness/azure.js'
import { azuriteSkip } from '../harness/azurite.js'
import { suite } from '../harness/suite.js'

const token = 'token-0123456789-0123456789-abcdef' as Token
const stagingHost = 'staging.vault.azure.net'

suite('staging places in a vault of their own', azuriteSkip, ({ after, it }) => {
  const shared = new AzureServices()
  after(() => shared.stop())
  async function open() {
    const services = await shared.open()
    services.double.addVault('other')
    const store = openAzure(services, services.env, {
      container: services.container,
      stagingHost,
      vaults: ['app.vault.azure.net', 'other.vault.azure.net'],
    })
    return { ...services, store }
  }

  it('a rotation writes nothing but tested values to the vault that consumers read', async () => {
    const { double, store } = await open()
    const ref = await store.create('azure:app/db', new SecretText('first'), { 'keyturn-rotator': 'memory-a' })
    const claim = await store.claim(await store.describe(ref), { token, kind: 'rotate', holder: 'one', leaseMs: 60_000 })
    const { version } = await store.stage(claim, new SecretText('second'))
    assert.deepEqual([...double.vault('app').secrets.keys()], ['db'])
    assert.deepEqual(
      double.versions('db-pending', 'staging').map(({ value, expires }) => [value, expires]),
      [
        ['a staging place', undefined],
        ['second', undefined],
      ],
    )
    await store.publish(claim, version)
    assert.deepEqual(
      double.versions('db', 'app').map(({ value }) => value),
      ['first', 'second'],
    )
    assert.ok(double.versions('db-pending', 'staging').every(({ enabled }) => !enabled))
    for await (const { ref: listed } of store.list({ managed: false })) assert.equal(listed.shown, 'azure:app/db')
  })

  it('two secrets of one name in two vaults would have one place: the second is refused, and nothing of it is written', async () => {
    const { double, store } = await open()
    await store.create('azure:app/db', new SecretText('first'), { 'keyturn-rotator': 'memory-a' })
    await assert.rejects(
      store.create('azure:other/db', new SecretText('first'), { 'keyturn-rotator': 'memory-a' }),
      (cause) => codeOf(cause) === 'exists' && /is the staging place of app\.vault\.azure\.net\/db/.test(String(cause)),
    )
    assert.deepEqual([...double.vault('other').secrets.keys()], [])
  })

  it('a vault that cannot be listed is named, and the others are listed', async () => {
    const { double, store } = await open()
    await store.create('azure:app/db', new SecretText('first'), {})
    double.vault('other').refusesAddress = true
    const [found, failed]: [string[], string[]] = [[], []]
    for await (const { ref } of store.list({ managed: false }, (shown, cause) => failed.push(`${shown} ${codeOf(cause)}`)))
      found.push(ref.shown)
    assert.deepEqual([found, failed], [['azure:app/db'], ['azure:other denied']])
  })
})
