import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { adminReader } from '../../shared/app/admin.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { hostsFor } from '../../shared/rotators/registry.js'

const value = (host: string) => new SecretText(JSON.stringify({ host, port: 5432, username: 'admin', password: 'Canary-0123456789' }))

describe('an administrator’s secret', () => {
  /** What was read beside it, in order. */
  async function readBeside(store: SecretRef['store'], rotated: SecretText | undefined) {
    const asked: string[] = []
    const ref: SecretRef = { store, key: 'admin', shown: `${store}:admin`, name: 'admin' }
    const there = { ref, value: value('db.internal') }
    const read = adminReader(
      async () => there,
      async () => {
        asked.push('tags')
        return {}
      },
    )
    const admin = await read(ref.shown, async () => {
      asked.push('rotated')
      return rotated
    })
    assert.equal(admin, there, 'as it is')
    return asked
  }

  it('in a store of no platform that knows hosts: nothing else is read', async () => {
    assert.equal(hostsFor('file'), undefined)
    assert.deepEqual(await readBeside(storeKind('file'), value('replica.internal')), [])
  })
  it('that names the host of the rotated secret: the platform is not asked', async () =>
    assert.deepEqual(await readBeside(storeKind('aws'), value('DB.internal')), ['rotated']))
  it('that names another host than the platform has: its tags are not read', async () =>
    assert.deepEqual(await readBeside(storeKind('aws'), value('replica.internal')), ['rotated']))
  it('for a secret without a value', async () => assert.deepEqual(await readBeside(storeKind('aws'), undefined), ['rotated']))
})
