import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager'
import { status } from '@grpc/grpc-js'
import { RotationError } from '../../shared/core/errors.js'
import type { Code } from '../../shared/core/ports/errors.js'
import {
  type Call,
  CallError,
  calling,
  calls,
  classify,
  isInState,
  sayError,
  setupError,
  statuses,
  statusOf,
} from '../../shared/stores/gcp-secret-manager/errors.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'

let double: GcpSecretManagerDouble
let client: SecretManagerServiceClient
const name = 'projects/p/secrets/db'

before(async () => {
  double = await GcpSecretManagerDouble.open(() => Date.UTC(2026, 0, 5, 12))
  client = new SecretManagerServiceClient(double.clientOptions)
})
after(async () => {
  await client.close()
  await double.close()
})
/** One secret with one version. */
async function seed(): Promise<void> {
  double.reset()
  await client.createSecret({ parent: 'projects/p', secretId: 'db', secret: { replication: { automatic: {} } } })
  await client.addSecretVersion({ parent: name, payload: { data: Buffer.from('hunter2') } })
}
beforeEach(seed)

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail('it was done'),
    (error: unknown) => error,
  )
const grpc = (code: number, text: string) => Object.assign(new Error(`${code} ${status[code]}: ${text}`), { code, details: text })
const rest = (http: number, name: string | undefined, message: string, details: readonly unknown[] = []) =>
  Object.assign(new Error(JSON.stringify({ error: { code: http, message, ...(name ? { status: name } : {}), details } })), { code: http })
const noRetry = { retry: null }

/** Each call of the store, as the double serves it. */
const version = `${name}/versions/1`
const made: Readonly<Record<Call, () => Promise<unknown>>> = {
  listSecrets: () => client.listSecrets({ parent: 'projects/p' }),
  getSecret: () => client.getSecret({ name }),
  listSecretVersions: () => client.listSecretVersions({ parent: name }),
  getSecretVersion: () => client.getSecretVersion({ name: version }),
  accessSecretVersion: () => client.accessSecretVersion({ name: version }, noRetry),
  updateSecret: () => client.updateSecret({ secret: { name }, updateMask: { paths: ['labels'] } }),
  deleteSecret: () => client.deleteSecret({ name }),
  enableSecretVersion: () => client.enableSecretVersion({ name: version }),
  disableSecretVersion: () => client.disableSecretVersion({ name: version }),
  destroySecretVersion: () => client.destroySecretVersion({ name: version }),
  createSecret: () => client.createSecret({ parent: 'projects/p', secretId: 'new', secret: { replication: { automatic: {} } } }),
  addSecretVersion: () => client.addSecretVersion({ parent: name, payload: { data: Buffer.from('x') } }),
}
const everyCall = Object.keys(calls) as Call[]

describe('the table of errors', () => {
  it('has every status that the client knows, by its number', () => {
    const theirs = Object.entries(status).flatMap(([key, value]) => (typeof value === 'number' ? [[value, key] as const] : []))
    assert.deepEqual(
      statuses.map(([key], number) => [number, key]),
      theirs.sort(([a], [b]) => a - b),
    )
  })

  it('gives one code to a status, whether it comes by gRPC or by REST', async () => {
    for (const [number, [key, http, code]] of statuses.entries()) {
      if (key === 'OK') continue
      assert.equal(classify(grpc(number, 'text')), code, key)
      assert.equal(classify(rest(http, key, 'text')), code, `REST ${key}`)
      assert.equal(statusOf(rest(http, key, 'text')), number, key)
    }
    const byHttp: readonly (readonly [number, Code])[] = [
      [400, 'bad_event'],
      [401, 'denied'],
      [403, 'denied'],
      [404, 'not_found'],
      [409, 'exists'],
      [429, 'throttled'],
      [500, 'unavailable'],
      [502, 'unavailable'],
      [503, 'unavailable'],
      [418, 'bad_event'],
    ]
    for (const [http, code] of byHttp)
      assert.equal(classify(Object.assign(new Error('<html>'), { code: String(http) })), code, String(http))
  })

  it('reads what the client throws by itself, and leaves our own errors as they are', () => {
    assert.equal(classify(new Error('Could not load the default credentials. Browse to …')), 'denied')
    assert.equal(classify(new Error('Unable to detect a Project Id in the current environment.')), 'bad_config')
    assert.equal(classify(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })), 'unavailable')
    assert.equal(classify(new TypeError('x is undefined')), 'internal')
    assert.equal(classify('text'), 'internal')
    assert.equal(classify(new RotationError('held', 'x', { next: 'y' })), 'held')
  })
})

describe('errors of calls', () => {
  for (const call of everyCall)
    it(`${call}: no answer is ${calls[call] === 'once' ? 'ambiguous, and never sent again blindly' : 'unavailable'}`, async () => {
      const wanted = calls[call] === 'once' ? 'ambiguous' : 'unavailable'
      for (const fault of ['lost', 'cut', 'unavailable', 'late', 'internal'] as const) {
        await seed()
        double.fault = () => fault
        const cause = await caught(calling(call, made[call]()))
        assert.equal(classify(cause), wanted, fault)
      }
      double.fault = () => 'throttle'
      assert.equal(classify(await caught(calling(call, made[call]()))), 'throttled')
    })

  it('sent twice, exactly those calls have a second effect', async () => {
    for (const call of everyCall) {
      await seed()
      await made[call]()
      const things = () => [...double.secrets.values()].map(({ name: one, versions }) => [one, versions.map(({ state }) => state)])
      const first = structuredClone(things())
      const failure = await made[call]().then(
        () => undefined,
        (cause: unknown) => classify(cause),
      )
      const twice = failure === 'exists' || JSON.stringify(things()) !== JSON.stringify(first)
      assert.equal(twice, calls[call] === 'once', call)
    }
  })

  it('a wrong etag is a lost race', async () => {
    const etag = '"0"'
    const races: readonly (readonly [Call, Promise<unknown>])[] = [
      ['updateSecret', client.updateSecret({ secret: { name, etag }, updateMask: { paths: ['labels'] } })],
      ['deleteSecret', client.deleteSecret({ name, etag })],
      ['enableSecretVersion', client.enableSecretVersion({ name: version, etag })],
      ['disableSecretVersion', client.disableSecretVersion({ name: version, etag })],
      ['destroySecretVersion', client.destroySecretVersion({ name: version, etag })],
    ]
    for (const [call, race] of races) assert.equal(classify(await caught(calling(call, race))), 'conflict', call)
  })

  it('a value that was disabled is not gone, and one that was destroyed is', async () => {
    const access = () => caught(calling('accessSecretVersion', client.accessSecretVersion({ name: `${name}/versions/latest` })))
    await client.disableSecretVersion({ name: version })
    const disabled = await access()
    assert.deepEqual([classify(disabled), isInState(disabled, 'DISABLED'), isInState(disabled, 'DESTROYED')], ['damaged', true, false])
    await client.destroySecretVersion({ name: version })
    const destroyed = await access()
    assert.deepEqual([classify(destroyed), isInState(destroyed, 'DESTROYED')], ['not_found', true])
    const again = await caught(calling('destroySecretVersion', client.destroySecretVersion({ name: version })))
    assert.deepEqual([classify(again), isInState(again, 'DESTROYED')], ['not_found', true])
    assert.equal(classify(rest(400, 'FAILED_PRECONDITION', 'Secret Version [x] is in DESTROYED state.')), 'not_found')
  })

  it('a call for which there was no token was not sent: it is never ambiguous', () => {
    const noToken = (code: number, why: string) =>
      Object.assign(new Error(`${code} X: Getting metadata from plugin failed with error: ${why}`), { code })
    const refused = noToken(400, 'Error code invalid_grant: gone')
    const unreached = noToken(2, 'request to https://oauth2.googleapis.com/token failed, reason: getaddrinfo EAI_AGAIN')
    for (const call of everyCall) {
      assert.equal(classify(new CallError(call, refused)), 'denied')
      assert.equal(classify(new CallError(call, unreached)), 'unavailable')
    }
  })

  it('an access that fails by a text that nobody knows does not say that the value is gone', () => {
    assert.equal(classify(new CallError('accessSecretVersion', grpc(9, 'Something new.'))), 'damaged')
    assert.equal(classify(new CallError('updateSecret', grpc(9, 'Something new.'))), 'conflict')
  })

  it('what is missing is not_found, what is there exists, and a wrong form is bad_event', async () => {
    assert.equal(classify(await caught(client.getSecret({ name: `${name}2` }))), 'not_found')
    assert.equal(classify(await caught(client.accessSecretVersion({ name: `${name}/versions/9` }))), 'not_found')
    const create = client.createSecret({ parent: 'projects/p', secretId: 'db', secret: { replication: { automatic: {} } } })
    assert.equal(classify(await caught(calling('createSecret', create))), 'exists')
    assert.equal(classify(await caught(client.getSecret({ name: 'db' }))), 'bad_event')
  })
})

describe('what a person can fix', () => {
  const asked = 'gcp:projects/p/secrets/db'
  const saidOf = (cause: unknown) => {
    const { code, message, next } = setupError(cause, { shown: asked, host: 'secretmanager.googleapis.com' }) ?? assert.fail('no error')
    return { code, message, next }
  }

  for (const text of ['resource', 'link'] as const)
    it(`a denied permission is named, with the text that ${text === 'resource' ? 'names the resource' : 'has a link instead'}`, async () => {
      double.deny.add('secretmanager.versions.access')
      double.deniedText = text
      const cause = await caught(calling('accessSecretVersion', client.accessSecretVersion({ name: version })))
      assert.deepEqual(saidOf(cause), {
        code: 'denied',
        message: `secretmanager.versions.access is denied on ${asked}, or ${asked} does not exist.`,
        next: `Grant a role with secretmanager.versions.access on the secret, and check the name: keyturn permissions ${asked} prints what is needed.`,
      })
      assert.equal(sayError(cause), 'PERMISSION_DENIED: secretmanager.versions.access')
    })

  it('an API that is not enabled is a mistake of the set-up, with the command that enables it', async () => {
    double.disabledIn.add('p')
    const wanted = {
      code: 'bad_config',
      message: `The Secret Manager API is not enabled in project 123456789012, which has ${asked}.`,
      next: 'Run gcloud services enable secretmanager.googleapis.com --project=123456789012, and try again after some minutes.',
    }
    const cause = await caught(client.getSecret({ name }))
    assert.deepEqual(saidOf(cause), wanted)
    const text = (cause as { details: string }).details
    assert.deepEqual(saidOf(grpc(7, text)), wanted, 'by the text alone')
    assert.deepEqual(saidOf(rest(403, 'PERMISSION_DENIED', text, [{ '@type': 'x', reason: 'SERVICE_DISABLED' }])), wanted)
  })

  it('a reason counts, whatever the text says, by gRPC and by REST', () => {
    for (const reason of ['SERVICE_DISABLED', 'CONSUMER_INVALID']) {
      assert.equal(classify(Object.assign(grpc(7, 'Something new.'), { reason })), 'bad_config')
      assert.equal(classify(rest(403, 'PERMISSION_DENIED', 'Something new.', [{ locale: 'en' }, { reason }])), 'bad_config')
    }
    assert.equal(classify(Object.assign(grpc(7, 'Something new.'), { reason: 'IAM_PERMISSION_DENIED' })), 'denied')
  })

  it('a project that is not there is a mistake in the name', async () => {
    const cause = await caught(client.getSecret({ name: 'projects/typo/secrets/db' }))
    assert.equal(saidOf(cause).code, 'bad_config')
    assert.equal(classify(cause), 'bad_config')
    assert.equal(classify(grpc(7, 'Permission denied on resource project typo.')), 'bad_config')
  })

  it('a permission that the platform asks for on the project is granted there', () => {
    const denied = (permission: string) => grpc(7, `Permission '${permission}' denied on resource (or it may not exist).`)
    const create = setupError(denied('secretmanager.secrets.create'), { shown: `${asked}--pending` })
    assert.deepEqual(
      [create?.message, create?.next],
      [
        `secretmanager.secrets.create is denied on the project of ${asked}--pending, or the project of ${asked}--pending does not exist.`,
        `Grant a role with secretmanager.secrets.create on the project, and check the name: keyturn permissions ${asked} prints what is needed.`,
      ],
    )
    const list = setupError(denied('secretmanager.secrets.list'), { shown: 'gcp:projects/p' })
    assert.equal(
      list?.next,
      'Grant a role with secretmanager.secrets.list on the project, and check the name: keyturn permissions gcp:projects/p/secrets/NAME prints what is needed.',
    )
  })

  it('a staging place that is denied may be gone, and the command is named that makes it again', () => {
    const cause = grpc(7, "Permission 'secretmanager.secrets.get' denied on resource (or it may not exist).")
    assert.match(setupError(cause, { shown: `${asked}--pending` })?.next ?? '', new RegExp(`keyturn recover ${asked} --yes`))
    assert.doesNotMatch(setupError(cause, { shown: asked })?.next ?? '', /recover/)
  })

  it('a service that cannot be reached is named by its host, and one that answers is not', () => {
    const host = 'secretmanager.europe-west3.rep.googleapis.com'
    for (const cause of [grpc(14, 'Name resolution failed'), grpc(4, 'late'), Object.assign(new Error('x'), { code: 'EAI_AGAIN' })]) {
      const error = setupError(new CallError('getSecret', cause), { shown: asked, host })
      assert.equal(error?.code, 'unavailable')
      assert.match(error.message, new RegExp(`${host} could not be reached \\(`))
      assert.equal(error.next, 'Check the network, DNS and the proxy, then run the same command again.')
    }
    assert.equal(setupError(new CallError('getSecret', grpc(13, 'x')), { shown: asked, host }), undefined)
    assert.equal(setupError(new CallError('addSecretVersion', grpc(14, 'x')), { shown: asked, host }), undefined, 'it may have been added')
  })

  it('is nothing else', () => {
    assert.equal(setupError(grpc(5, 'x'), { shown: asked }), undefined)
    assert.equal(setupError(new Error('x'), { shown: asked }), undefined)
  })

  it('no text of the service gets into what is said: it may quote what was sent', async () => {
    const canary = 'hunter2"%ü'
    for (const number of statuses.keys()) {
      const cause = new CallError('addSecretVersion', grpc(number, `Bad payload ${canary}`))
      const said = [
        cause.message,
        sayError(cause),
        setupError(cause, { shown: asked })?.message,
        setupError(cause, { shown: asked })?.next,
      ].join(' ')
      assert.ok(!said.includes(canary), said)
    }
  })
})
