import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { eventOf } from '../../shared/core/cloud-event.js'
import type { Change } from '../../shared/core/ports/notifier.js'
import type { VersionId } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'

const change: Change = {
  id: '7d1c4a6e-52c0-8f0b-a4d3-9f0c1b2a3d4e',
  ref: { store: storeKind('memory'), key: 'db', shown: 'memory:db', name: 'db' },
  version: 'v2' as VersionId,
  previous: 'v1' as VersionId,
  sequence: 1_795_489_200_000,
  cause: 'rotation',
}

describe('the event of a publication', () => {
  it('is the same to the byte as ever, since receivers may rely on it', () => {
    const wanted = [
      '{"id":"7d1c4a6e-52c0-8f0b-a4d3-9f0c1b2a3d4e","time":"2026-11-24T03:00:00.000Z","type":"keyturn.secret.published"',
      '"source":"urn:keyturn","specversion":"1.0","datacontenttype":"application/json","subject":"memory:db"',
      '"data":{"ref":"memory:db","version":"v2","previous":"v1","sequence":1795489200000,"cause":"rotation","consumer":"billing"}',
      '"sequence":"1795489200000"}',
    ].join()
    assert.equal(JSON.stringify(eventOf(change, { key: 'billing' })), wanted)
  })

  it("says the platform's own name of the version, where it has one", () => {
    const resource = 'projects/123/secrets/db/versions/2'
    assert.equal(eventOf({ ...change, resource }, { key: 'billing' }).data?.resource, resource)
  })

  it('says the reason where there is one, and no previous version for a first value', () => {
    const { data } = eventOf({ ...change, previous: null, cause: 'emergency', reason: 'leaked' }, { key: 'billing' })
    assert.deepEqual(data, {
      ref: 'memory:db',
      version: 'v2',
      previous: null,
      sequence: 1_795_489_200_000,
      cause: 'emergency',
      reason: 'leaked',
      consumer: 'billing',
    })
  })
})
