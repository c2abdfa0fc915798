import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import type { RotationError } from '../../shared/core/errors.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { openClient } from '../../shared/stores/gcp-secret-manager/client.js'
import { FakeEnv } from '../harness/fake-env.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

/** What tells Google's client where credentials are. */
const names = [
  'HOME',
  'CLOUDSDK_CONFIG',
  'GOOGLE_APPLICATION_CREDENTIALS',
  'GOOGLE_CLOUD_PROJECT',
  'GCLOUD_PROJECT',
  'METADATA_SERVER_DETECTION',
]

describe('a machine without credentials for Google Cloud', () => {
  const kept = new Map<string, string | undefined>()
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-gcp-'))
  before(() => {
    for (const name of names) {
      kept.set(name, process.env[name])
      delete process.env[name]
    }
    Object.assign(process.env, { HOME: folder, CLOUDSDK_CONFIG: folder, METADATA_SERVER_DETECTION: 'none' })
  })
  after(() => {
    for (const [name, value] of kept) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    rmSync(folder, { recursive: true })
  })

  it('is told how to get them, at every call, and the process goes on', async () => {
    let opened = 0
    const open = (location: string | undefined) => {
      opened++
      return openClient(location)
    }
    const store = new GcpSecretManagerAdmin({ env: new FakeEnv(), project: 'p', open })
    for (const turn of [1, 2]) {
      await assert.rejects(store.resolve('gcp:db'), (cause: RotationError) => {
        assert.deepEqual([cause.code, opened], ['denied', turn])
        assert.match(
          `${cause.message} ${cause.next}`,
          /No Google Cloud credentials were found: gcp:projects\/p\/secrets\/db cannot be read\..* gcloud auth application-default login/,
        )
        return true
      })
    }
    await new Promise((resolve) => setImmediate(resolve)) // where a rejection that nobody handles would end the test
  })

  it('is told so, too, where the project is not known', async () => {
    const store = GcpSecretManagerAdmin.openFrom({}, new FakeEnv())
    await assert.rejects(store.resolve('db'), (cause: RotationError) => cause.code === 'denied')
  })

  it('is told first that a name is not allowed', async () => {
    const store = GcpSecretManagerAdmin.openFrom({}, new FakeEnv())
    await assert.rejects(store.resolve('gcp:a.b'), (cause: RotationError) => cause.code === 'bad_event' && cause.field === 'ref')
  })

  it('is told first that the project of the process cannot be one', () => {
    const open = () => GcpSecretManagerAdmin.openFrom({ GOOGLE_CLOUD_PROJECT: 'My Shop' }, new FakeEnv())
    assert.throws(open, { code: 'bad_config', field: 'GOOGLE_CLOUD_PROJECT' })
  })

  it('is asked for the project where only that is missing', async () => {
    const env = new FakeEnv()
    const double = await GcpSecretManagerDouble.open(env.now)
    const { projectId: _, ...options } = double.clientOptions
    const store = new GcpSecretManagerAdmin({ env, open: () => new SecretManagerServiceClient(options) })
    await assert.rejects(
      store.resolve('db'),
      (cause: RotationError) => cause.code === 'bad_config' && cause.field === 'GOOGLE_CLOUD_PROJECT',
    )
    await assert.rejects(store.resolve('gcp:projects/p/secrets/db'), (cause: RotationError) => cause.code === 'not_found')
    await store.close()
    await double.close()
  })
})

describe('the log of Google’s own client', () => {
  it('must be off, because it has every value', () => {
    const open = () => GcpSecretManagerAdmin.openFrom({ GOOGLE_SDK_NODE_LOGGING: 'all' }, new FakeEnv())
    assert.throws(open, (cause: RotationError) => cause.code === 'bad_config' && cause.field === 'GOOGLE_SDK_NODE_LOGGING')
  })
})
