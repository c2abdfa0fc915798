import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { callCommand } from '../harness/command-call.js'
import { SecretsManagerDouble } from '../harness/secrets-manager.js'

const folder = mkdtempSync(join(tmpdir(), 'keyturn-put-'))
let double: SecretsManagerDouble
before(async () => {
  double = await SecretsManagerDouble.open()
  Object.assign(process.env, {
    SECRETS_MANAGER_ENDPOINT: double.endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'eu-west-1',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  })
})
after(async () => {
  await double?.close()
  rmSync(folder, { recursive: true })
})

it('keyturn put makes a secret that is not there, and the next one is a new version of it', async () => {
  const env = { ...process.env, KEYTURN_HOME: folder }
  const put = async (text: string) => JSON.parse((await callCommand(['--json', 'put', 'aws:new'], { env }, text)).stdout)
  const made = await put('{"api_key":"the-first-1234567"}')
  assert.deepEqual([made.ok, made.ref, made.outcome], [true, 'aws:new', 'created'])
  assert.equal((await put('{"api_key":"the-second-1234567"}')).outcome, 'published')
  const value = double.do('GetSecretValue', { SecretId: 'new' }) as { SecretString?: string }
  assert.equal(value.SecretString, '{"api_key":"the-second-1234567"}')
})
