import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { SecretClient } from '@azure/keyvault-secrets'
import { clientOf } from '../harness/key-vault/client.js'
import { cloudEventOf, type EventGridEvent } from '../harness/key-vault/events.js'
import { KeyVaultDouble } from '../harness/key-vault.js'

const dayMs = 86_400_000
const start = Date.UTC(2026, 0, 5, 12)
let time = start
let double: KeyVaultDouble
let client: SecretClient
let handed: EventGridEvent[]

before(async () => {
  double = await KeyVaultDouble.open(() => time)
})
after(() => double.close())
beforeEach(() => {
  time = start
  handed = []
  double.reset()
  double.onEvent = (event) => void handed.push(event)
  client = clientOf(double)
})

/** Answers the version's id. */
const set = async (value: string, expiresInDays?: number, name = 'db'): Promise<string> => {
  const options = expiresInDays === undefined ? {} : { expiresOn: new Date(time + expiresInDays * dayMs) }
  return (await client.setSecret(name, value, options)).properties.version ?? ''
}
const said = (events: readonly EventGridEvent[] = handed): readonly string[] =>
  events.map(({ eventType, subject }) => `${eventType.replace('Microsoft.KeyVault.', '')} ${subject}`)
const nearExpiry = (): readonly string[] => said(double.tick())

describe('what a vault tells', () => {
  it('each new version is told, of a staging secret and by another hand too; no other call tells anything', async () => {
    const version = await set('one')
    await set('two', undefined, 'db-pending')
    double.writeForeign('db', 'three')
    await client.getSecret('db')
    await client.updateSecretProperties('db', version, { tags: { a: 'b' }, enabled: false })
    await client.beginDeleteSecret('db')
    await client.beginRecoverDeletedSecret('db')
    assert.deepEqual(said(), ['SecretNewVersionCreated db', 'SecretNewVersionCreated db-pending', 'SecretNewVersionCreated db'])
    assert.deepEqual(double.events, handed)
    assert.equal(new Set(handed.map(({ id }) => id)).size, 3)
  })

  it('a refused write tells nothing, and one whose answer is lost tells once', async () => {
    double.fault = () => 'conflict'
    await assert.rejects(set('one'))
    assert.deepEqual(said(), [])
    double.fault = () => 'lost'
    await assert.rejects(set('one'))
    assert.deepEqual(said(), ['SecretNewVersionCreated db'])
  })

  it('names the vault, the secret and the version, with the times, in PascalCase; never the value', async () => {
    const notBefore = new Date(start - dayMs)
    const expiresOn = new Date(start + 60 * dayMs)
    const { properties } = await client.setSecret('db', 'hunter2', { notBefore, expiresOn, tags: { a: 'b' } })
    const data = {
      Id: `https://app.vault.azure.net/secrets/db/${properties.version}`,
      VaultName: 'app',
      ObjectType: 'Secret',
      ObjectName: 'db',
      Version: properties.version,
      NBF: notBefore.getTime() / 1000,
      EXP: expiresOn.getTime() / 1000,
    }
    const topic = '/subscriptions/00000000-0000-0000-0000-000000000003/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/app'
    const [event] = handed
    assert.ok(event)
    assert.deepEqual(event, {
      id: event.id,
      topic,
      subject: 'db',
      eventType: 'Microsoft.KeyVault.SecretNewVersionCreated',
      eventTime: '2026-01-05T12:00:00.000Z',
      data,
      dataVersion: '1',
      metadataVersion: '1',
    })
    assert.deepEqual(cloudEventOf(event), {
      specversion: '1.0',
      id: event.id,
      source: topic,
      subject: 'db',
      type: 'Microsoft.KeyVault.SecretNewVersionCreated',
      time: '2026-01-05T12:00:00.000Z',
      data,
    })
    await set('two')
    assert.deepEqual([handed[1]?.data.NBF, handed[1]?.data.EXP], [null, null])
    assert.doesNotMatch(JSON.stringify(handed), /hunter2/)
  })
})

describe('what ends', () => {
  it('is told thirty days before, once, and again when it is over', async () => {
    await set('one', 90)
    time += 60 * dayMs - 1000
    assert.deepEqual(nearExpiry(), [])
    time += 1000
    assert.deepEqual(nearExpiry(), ['SecretNearExpiry db'])
    time += 30 * dayMs - 1000
    assert.deepEqual(nearExpiry(), [])
    time += 1000
    assert.deepEqual(nearExpiry(), ['SecretExpired db'])
    time += 30 * dayMs
    assert.deepEqual(nearExpiry(), [])
  })

  it('is told at once of a version that is made with less than thirty days left', async () => {
    const version = await set('one', 29)
    const [event] = double.tick()
    assert.deepEqual([event?.eventType, event?.data.Version], ['Microsoft.KeyVault.SecretNearExpiry', version])
  })

  it('is told of the newest version alone, and of each version by itself', async () => {
    await set('one', 40)
    const second = await set('two', 100)
    time += 40 * dayMs
    assert.deepEqual(nearExpiry(), [], 'the old one is of no interest any more')
    time += 30 * dayMs
    const [event] = double.tick()
    assert.deepEqual([event?.data.Version, event?.data.EXP], [second, start / 1000 + 100 * 86_400])
    await set('three', 20)
    assert.deepEqual(nearExpiry(), ['SecretNearExpiry db'])
    await set('four')
    time += 365 * dayMs
    assert.deepEqual(nearExpiry(), [], 'who has no end does not end')
  })

  it('is told of every vault, and not of what is deleted', async () => {
    await set('one', 10)
    await clientOf(double, { vault: 'staging' }).setSecret('api', 'two', { expiresOn: new Date(start + 10 * dayMs) })
    await client.beginDeleteSecret('db')
    const events = double.tick()
    assert.deepEqual([said(events), events[0]?.data.VaultName], [['SecretNearExpiry api'], 'staging'])
  })

  it('is never told of a version that was made before anybody subscribed', async () => {
    double.subscribed = false
    await set('one', 10)
    double.subscribed = true
    assert.deepEqual([nearExpiry(), said()], [[], []])
    await set('two', 10)
    assert.deepEqual(nearExpiry(), ['SecretNearExpiry db'])
  })

  it('may be told again or not when the end of the same version moves: both can be had', async () => {
    for (const again of [false, true]) {
      double.reset()
      double.tellsMovedExpiry = again
      const version = await set('one', 20)
      assert.deepEqual(nearExpiry(), ['SecretNearExpiry db'])
      await client.updateSecretProperties('db', version, { expiresOn: new Date(start + 25 * dayMs) })
      assert.deepEqual(nearExpiry(), again ? ['SecretNearExpiry db'] : [])
    }
  })

  it('whoever looks late is told both at once', async () => {
    await set('one', 40)
    time += 50 * dayMs
    assert.deepEqual(nearExpiry(), ['SecretNearExpiry db', 'SecretExpired db'])
  })
})
