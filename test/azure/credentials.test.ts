import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { AuthenticationError, CredentialUnavailableError } from '@azure/identity'
import { Credentials } from '../../shared/azure/credentials.js'
import { whyUnanswered } from '../../shared/azure/unanswered.js'
import type { RotationError } from '../../shared/core/errors.js'
import { AzureMachine } from '../harness/azure-machine.js'

const resource = 'https://things.example'
let asked = 0

describe('credentials of Azure', () => {
  let machine: AzureMachine
  let credentials: Credentials
  before(async () => {
    machine = await AzureMachine.open()
  })
  after(() => machine.close())
  beforeEach(() => {
    machine.identity.reset()
    machine.startAgain()
    credentials = new Credentials(`${resource}/${++asked}/.default`, 'the thing t') // the library keeps what it had for another
  })
  const ask = (signal = AbortSignal.timeout(60_000)) => credentials.token(signal)
  const refused = (signal?: AbortSignal): Promise<RotationError> =>
    ask(signal).then(
      () => assert.fail('it was given'),
      (cause: RotationError) => cause,
    )

  it('are those of the identity, and kept until they near their end', async () => {
    const first = (await ask()).reveal()
    assert.equal((await ask()).reveal(), first)
    credentials.forget()
    assert.equal((await ask()).reveal(), first, 'the library keeps what a managed identity has for all of the process')
    assert.equal(machine.identity.calls.length, 1)
    machine.identity.expiresInSeconds = 60
    credentials = new Credentials(`${resource}/${++asked}/.default`, 'the thing t')
    const soonOver = (await ask()).reveal()
    assert.notEqual((await ask()).reveal(), soonOver)
  })

  it('are of the identity that AZURE_CLIENT_ID names', async () => {
    machine.identity.assigned.add('11111111-1111-4111-8111-111111111111')
    machine.startAgain('11111111-1111-4111-8111-111111111111')
    await ask()
    assert.deepEqual(
      machine.identity.calls.map(({ clientId }) => clientId),
      ['11111111-1111-4111-8111-111111111111'],
    )
  })

  it('are denied where there is no identity, and say nothing of the answer', async () => {
    machine.identity.hasOwn = false
    const cause = await refused()
    assert.deepEqual([cause.code, cause.message], ['denied', 'No credentials of Azure were found for the thing t, or they were refused.'])
    assert.ok(!inspect(cause).includes('No such identity'))
    assert.match(cause.next, /managed identity.*AZURE_CLIENT_ID.*az login/)
  })

  it('are unavailable where the endpoint asks for fewer calls', async () => {
    machine.identity.fault = () => 429
    const { code, message } = await refused()
    assert.deepEqual([code, message], ['unavailable', 'There is no token for the thing t yet (status 429).'])
  })

  it('are unavailable when the signal fires, which the library does not heed', async () => {
    const late = new AbortController()
    machine.identity.fault = () => {
      setImmediate(() => late.abort())
      return 'held'
    }
    const { code, message } = await refused(late.signal)
    assert.deepEqual([code, message], ['unavailable', 'There is no token for the thing t yet (no answer in time).'])
  })

  it('of a kind that nobody knows are a wrong setting', async () => {
    process.env.AZURE_TOKEN_CREDENTIALS = 'hunter2'
    try {
      const { code, field, message } = await refused()
      assert.deepEqual([code, field], ['bad_config', 'AZURE_TOKEN_CREDENTIALS'])
      assert.doesNotMatch(message, /hunter2/)
    } finally {
      process.env.AZURE_TOKEN_CREDENTIALS = 'ManagedIdentityCredential'
    }
  })
})

describe('what the library threw', () => {
  /** As msal throws it, in what the library makes of it. */
  const by = (more: object, text = 'no') =>
    new CredentialUnavailableError('Authentication failed.', { cause: Object.assign(new Error(text), more) })
  const chain = (...errors: Error[]) => Object.assign(new Error('ChainedTokenCredential authentication failed.'), { errors })
  const nowhere = new CredentialUnavailableError('EnvironmentCredential is unavailable. No underlying credential could be used.')

  it('is no answer where a cause says so: by its status, its code, or msal', () => {
    for (const [cause, why] of [
      [chain(nowhere, by({ status: 503 })), 'status 503'],
      [chain(nowhere, by({ status: 404 })), 'status 404'],
      [chain(by({ errorCode: 'network_error' })), 'network_error'],
      [by({ code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
      [
        new AuthenticationError(400, 'endpoints_resolution_error: See https://aka.ms/msal.js.errors for details'),
        'endpoints_resolution_error',
      ],
      [new AuthenticationError(503, 'no'), 'status 503'],
    ] as const)
      assert.equal(whyUnanswered(cause), why)
  })

  it('is a refusal, or no credentials, where none says so', () => {
    for (const cause of [
      chain(nowhere),
      chain(nowhere, by({ status: 400 })),
      by({ code: 'ENOENT' }),
      new AuthenticationError(401, 'no'),
      'no',
      undefined,
    ])
      assert.equal(whyUnanswered(cause), undefined)
  })
})
