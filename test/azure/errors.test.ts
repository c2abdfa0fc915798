import assert from 'node:assert/strict'
import { describe, it as plainIt } from 'node:test'
import { inspect } from 'node:util'
import type { Code } from '../../shared/core/ports/errors.js'
import type { Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { Clients } from '../../shared/stores/azure-key-vault/client.js'
import { classify, sayError } from '../../shared/stores/azure-key-vault/errors.js'
import { Vaults } from '../../shared/stores/azure-key-vault/vault.js'
import { fewer, sampler } from '../crash/sample.js'
import { AzureServices, openAzure, openerOf, vaultHost } from '../harness/azure.js'
import { azuriteSkip } from '../harness/azurite.js'
import type { BlobFault, BlobOperation } from '../harness/blob-faults.js'
import { canary, leaksIn } from '../harness/cli-canary.js'
import type { Fault } from '../harness/key-vault.js'
import { suite } from '../harness/suite.js'

const token = 'token-0123456789-0123456789-abcdef' as Token
const secrets = { first: canary('fvst'), second: canary('scnd') }

/** What a fault of each kind means for a call that may be sent again, and for one whose effect may have happened. */
const vaultFaults: readonly (readonly [Fault, Code, Code])[] = [
  ['lost', 'unavailable', 'ambiguous'],
  ['cut', 'unavailable', 'ambiguous'],
  ['unavailable', 'unavailable', 'ambiguous'],
  ['internal', 'unavailable', 'ambiguous'],
  ['throttle', 'throttled', 'throttled'],
  ['conflict', 'conflict', 'conflict'],
  [{ status: 400, code: 'BadParameter' }, 'bad_event', 'bad_event'],
  [{ status: 401, code: 'Unauthorized' }, 'denied', 'denied'],
  [{ status: 403, code: 'Forbidden' }, 'denied', 'denied'],
]
const blobFaults: readonly (readonly [BlobFault, Code])[] = [
  ['lost', 'unavailable'],
  ['cut', 'unavailable'],
  ['unavailable', 'throttled'],
  ['internal', 'unavailable'],
  ['throttle', 'throttled'],
  ['late', 'unavailable'],
  [{ status: 403, code: 'AuthorizationPermissionMismatch' }, 'denied'],
  [{ status: 403, code: 'AuthorizationFailure' }, 'denied'],
  [{ status: 404, code: 'ContainerNotFound' }, 'bad_config'],
]

suite('every error of the services has a code, and tells no value', azuriteSkip, ({ after, it }) => {
  const shared = new AzureServices()
  after(() => shared.stop())

  async function open() {
    const services = await shared.open()
    const store = openAzure(services, services.env, { container: services.container })
    const ref = await store.create('db', new SecretText(secrets.first), { 'keyturn-rotator': 'memory-a' })
    return { ...services, store, ref }
  }
  /** A rotation of the store alone. Outcome: `done`, or the code of whatever it threw. */
  async function rotate({
    store,
    ref,
  }: Awaited<ReturnType<typeof open>>): Promise<{ readonly code: Code | 'done'; readonly text: string }> {
    try {
      const claim = await store.claim(await store.describe(await store.resolve(ref.shown)), {
        token,
        kind: 'rotate',
        holder: 'one',
        leaseMs: 900_000,
      })
      const { version } = await store.stage(claim, new SecretText(secrets.second))
      await store.read(ref, version)
      await store.publish(claim, version)
      return { code: 'done', text: '' }
    } catch (cause) {
      return {
        code: store.classify(cause),
        text: `${inspect(cause, { depth: 12, showHidden: true })} ${JSON.stringify(cause)} ${String(cause)}`,
      }
    }
  }
  const leaks = (text: string): readonly string[] => leaksIn({ text }, secrets)

  const draw = sampler(fewer)
  it('at each call of a vault', async () => {
    const dry = await open()
    dry.double.calls.length = 0
    await rotate(dry)
    const calls = dry.double.calls.map(({ name }) => name)
    assert.ok(calls.length > 10, calls.join(' '))
    for (const [at, name] of calls.entries())
      for (const [fault, again, once] of vaultFaults) {
        if (!draw.take()) continue
        const one = await open()
        one.double.calls.length = 0
        // A call that is refused by 401 is made once more by the client, with the same token.
        const isRefused = typeof fault === 'object' && 'status' in fault && fault.status === 401
        let refused: string | undefined
        one.double.fault = ({ name: of, secret }, n) => {
          const what = `${of} ${secret}`
          if (n === at + 1) refused = what
          return n === at + 1 || (isRefused && what === refused) ? fault : undefined
        }
        const { code, text } = await rotate(one)
        const what = `${inspect(fault)} at ${at} (${name})`
        const isAdd = name === 'SetSecret' && at === calls.lastIndexOf('SetSecret')
        // Whether an add without an answer is there is looked up at once: it is, or nobody can see it.
        const expected: readonly string[] = isAdd && once === 'ambiguous' ? ['done', 'ambiguous'] : [name === 'SetSecret' ? once : again]
        assert.ok(expected.includes(code), `${what}: ${code} instead of ${expected.join(' or ')}\n${text.slice(0, 600)}`)
        assert.deepEqual(leaks(text), [], what)
      }
  })

  it('at each call of the blob', async () => {
    const dry = await open()
    dry.blobs.reset()
    await rotate(dry)
    const calls: readonly BlobOperation[] = dry.blobs.calls.map(({ operation }) => operation)
    assert.ok(calls.length > 6, calls.join(' '))
    for (const [at, name] of calls.entries())
      for (const [fault, code] of blobFaults) {
        if (!draw.take()) continue
        const one = await open()
        one.blobs.reset()
        one.blobs.fault = (_call, n) => (n === at + 1 ? fault : undefined)
        const found = await rotate(one)
        // A blob that is gone is no error for who reads, and for a lease it is one that has ended.
        const isGone = name !== 'write' && typeof fault === 'object' && fault !== null && 'status' in fault && fault.status === 404
        const expected: readonly string[] = isGone ? ['conflict', 'stuck', 'bad_config', 'done'] : [code]
        assert.ok(
          expected.includes(found.code),
          `${inspect(fault)} at ${at} (${name}): ${found.code} instead of ${code}\n${found.text.slice(0, 600)}`,
        )
        assert.deepEqual(leaks(found.text), [], `${inspect(fault)} at ${at} (${name})`)
      }
  })

  it('says how long the service asks to wait', async () => {
    for (const name of ['GetSecret', 'GetSecretVersions', 'SetSecret'] as const) {
      const one = await open()
      one.double.fault = (call) => (call.name === name ? { status: 429, code: 'Throttled', retryAfterSeconds: 7 } : undefined)
      const { store, ref } = one
      const call: Promise<unknown> = name === 'SetSecret' ? store.create('other', new SecretText('x'), {}) : store.describe(ref)
      const asked = await call.then(
        () => assert.fail('it is refused'),
        (cause: unknown) => [store.classify(cause), store.askedWaitMs(cause)],
      )
      assert.deepEqual(asked, ['throttled', 7000], name)
    }
  })

  it('a write that hangs ends with the lease, and is ambiguous', async () => {
    const services = await open()
    const { double } = services
    const vaults = new Vaults(new Clients(openerOf(services), undefined, 'keyturn'), { now: Date.now })
    double.fault = () => ({ held: new Promise(() => {}) })
    const write = vaults.set({ host: vaultHost, secret: 'db' }, new SecretText(secrets.second), { tags: {} }, Date.now() + 50)
    await assert.rejects(write, (cause) => classify(cause) === 'ambiguous' && leaks(inspect(cause, { depth: 12 })).length === 0)
    const late = vaults.set({ host: vaultHost, secret: 'db' }, new SecretText(secrets.second), { tags: {} }, Date.now())
    await assert.rejects(late, (cause) => classify(cause) === 'conflict')
  })
})

describe('an error of a client of Azure', () => {
  plainIt('is told by its words alone', () => {
    const said = (members: object) => sayError(Object.assign(new Error(`quotes ${secrets.first}`), members))
    assert.equal(
      said({ statusCode: 403, code: 'Forbidden', details: { error: { innerError: { code: 'SecretDisabled' } } } }),
      '403 SecretDisabled',
    )
    assert.equal(said({ statusCode: 412, code: 'ConditionNotMet' }), '412 ConditionNotMet')
    assert.equal(said({ code: 'ENOTFOUND' }), 'ENOTFOUND')
    assert.equal(said({}), 'no answer')
  })

  plainIt('that nobody knows is internal', () => {
    assert.equal(classify(new TypeError('a fault of ours')), 'internal')
    assert.equal(classify('text'), 'internal')
  })
})
