import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { classifyAws, explainTimeouts, sayError } from '../../shared/aws/client.js'
import { explainSettings } from '../../shared/aws/explain.js'

describe('a call to AWS that is not answered in time', () => {
  let silent: Server
  before(async () => {
    silent = createServer((socket) => socket.on('error', () => {}))
    await once(silent.listen(0, '127.0.0.1'), 'listening')
  })
  after(() => silent?.close())

  it('says what was waited for and how long, and nothing of sockets and options of the SDK', async () => {
    const { port } = silent.address() as AddressInfo
    const client = new SecretsManagerClient({
      region: 'eu-west-1',
      endpoint: `http://127.0.0.1:${port}`,
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      maxAttempts: 1,
      requestHandler: { requestTimeout: 50, throwOnRequestTimeout: true },
    })
    client.middlewareStack.add(explainTimeouts, { step: 'initialize' })
    await assert.rejects(client.send(new GetSecretValueCommand({ SecretId: 'db' })), (cause: Error) => {
      assert.deepEqual([cause.message, sayError(cause)], ['no answer from AWS within 0.05 s', 'no answer from AWS within 0.05 s'])
      assert.equal(classifyAws(cause, {}), 'unavailable')
      return true
    })
    client.destroy()
  })

  const thrown = async (cause: Error): Promise<unknown> => {
    try {
      return await explainTimeouts<null, never>(() => Promise.reject(cause))(null)
    } catch (error) {
      return error
    }
  }

  it('a connection that is not made, and a timeout without a number; any other error is passed on', async () => {
    const late = (text: string) => thrown(Object.assign(new Error(text), { name: 'TimeoutError' }))
    const noSocket = 'the request socket did not establish a connection with the server within the configured timeout of 3000 ms.'
    assert.equal(sayError(await late(noSocket)), 'no connection to AWS within 3 s')
    assert.equal(sayError(await late('late')), 'no answer from AWS in time')
    const other = Object.assign(new Error('x'), { name: 'ThrottlingException' })
    assert.equal(await thrown(other), other)
    assert.equal(sayError(other), 'ThrottlingException')
  })

  it('where no connection was made, the settings that name the endpoint are named', async () => {
    const late = Object.assign(new Error('did not establish a connection with the server within 3000 ms.'), { name: 'TimeoutError' })
    for (const [setting, field] of [
      [{}, 'AWS_REGION'],
      [{ variable: 'SECRETS_MANAGER_ENDPOINT' }, 'SECRETS_MANAGER_ENDPOINT'],
    ] as const)
      await assert.rejects(explainSettings(setting)<null, never>(() => Promise.reject(late))(null), {
        code: 'unavailable',
        message: 'No connection to AWS within 3 s.',
        field,
      })
  })
})
