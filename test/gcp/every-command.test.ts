import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it, mock } from 'node:test'
import { SecretManagerServiceClient } from '@google-cloud/secret-manager/build/src/v1/secret_manager_service_client.js'
import { createProgram } from '../../cli/program.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import { stores } from '../../shared/stores/registry.js'
import { leaksIn } from '../harness/cli-canary.js'
import { firstPassword, setPassword, startServer } from '../harness/cli-postgres.js'
import { type Body, Keyturn } from '../harness/cli-process.js'
import { life, step, type Walk } from '../harness/cli-walk.js'
import { callsOfGcloud, Gate, type Held, heldAfter } from '../harness/gcp-granted.js'
import { GcpSecretManagerDouble } from '../harness/gcp-secret-manager.js'
import { asSuper } from '../harness/postgres-client.js'
import { binariesOf, type PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { suite } from '../harness/suite.js'
import { WebhookServer } from '../harness/webhook-server.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const person = 'user:ann@example.com'
/** Not part of the life: `init` alone makes the folder of the file store, `permissions` is what a person needs before all others. */
const outside = {
  'init azure': 'is about Azure',
  'init gcp': 'writes a folder of this machine (init.test.ts)',
  permissions: 'run before the life, for each of its secrets',
}

describe('the table of commands', () => {
  it('has every command, and no other', () => {
    const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() }
    const program = createProgram(
      { env: {}, ...streams, cancelled: new AbortController().signal, exit: () => assert.fail('it ended') },
      true,
    )
    const names = program.commands.flatMap((one) =>
      one.commands.length === 0 ? [one.name()] : one.commands.map((inner) => `${one.name()} ${inner.name()}`),
    )
    const known = new Set([...life.map(({ command }) => command), ...Object.keys(outside)])
    assert.deepEqual([...known].sort(), names.sort())
  })
})

suite('every command on a secret of Google Cloud', skip, ({ it, before, after }) => {
  let server: PostgresServer
  let hook: WebhookServer
  let double: GcpSecretManagerDouble
  let client: SecretManagerServiceClient
  const answers = new Map<string, readonly Body[]>()
  const opened: Keyturn[] = []
  before(async () => {
    server = await startServer()
    hook = await WebhookServer.open()
  })
  after(async () => {
    mock.restoreAll()
    for (const one of opened) await one.close()
    await client?.close()
    await double?.close()
    hook?.close()
    await server?.stop()
    await removeCopies()
  })

  const open = async (store: string, ref: Walk['ref'], env: Readonly<Record<string, string>>): Promise<Walk> => {
    for (const role of ['app_a', 'app_b']) {
      await setPassword(server, role, firstPassword)
      await asSuper(server, `alter role ${role} login`)
    }
    const keyturn = await Keyturn.open(new URL('../../cli/main.js', import.meta.url))
    opened.push(keyturn)
    keyturn.env = { KEYTURN_SHORT_GRACE: '1', KEYTURN_CONFIG: ref('config'), ...env }
    return { keyturn, server, hook, ref, store }
  }
  const live = async (walk: Walk): Promise<void> => {
    const said: Body[] = []
    answers.set(walk.store, said)
    for (const row of life) said.push(await step(walk, row))
  }

  it('works on a secret in a file', async () => {
    const walk = await open('file', (name) => `file:${name}`, {})
    await walk.keyturn.ok(['init'])
    await live(walk)
  })

  it('works on a secret in Google Secret Manager, with the printed permissions of a person and no others, and shows no value', async () => {
    const walk = await open('gcp', (name) => `gcp:projects/p/secrets/${name}`, { GOOGLE_CLOUD_PROJECT: 'p' })
    const { keyturn, ref } = walk
    double = await GcpSecretManagerDouble.open(() => keyturn.clock?.now() ?? assert.fail('no clock'))
    client = new SecretManagerServiceClient(double.clientOptions)
    mock.method(stores.gcp, 'open', async ({ env }: Parameters<typeof stores.gcp.open>[0]) => {
      return new GcpSecretManagerAdmin({ env, project: 'p', open: () => client })
    })
    const held: Held[] = []
    for (const name of ['db', 'data', 'pg-admin', 'config']) {
      const admin = name === 'db' ? ['--admin', ref('pg-admin')] : []
      const { text } = await keyturn.ok(['permissions', ref(name), '--for', 'person', '--member', person, ...admin])
      held.push(...heldAfter(callsOfGcloud(String(text), double.names), double.names))
    }
    const gate = new Gate(double)
    Object.assign(gate, { held, acting: person })
    gate.close()
    const payloads: string[] = []
    double.fault = ({ request }) => {
      const { data } = (request as { payload?: { data?: Uint8Array } }).payload ?? {}
      if (data !== undefined) payloads.push(Buffer.from(data).toString())
      return undefined
    }
    const { error } = await keyturn.json(['put', ref('config')], { stdin: '{"consumers": 1}' })
    assert.deepEqual([error?.code, double.secrets.size], ['bad_config', 0])
    await live(walk)
    const secrets = Object.fromEntries(payloads.flatMap(secretsOf).map((secret, index) => [`value ${index}`, secret]))
    assert.ok(Object.keys(secrets).length > 6)
    const printed = Object.values(await keyturn.files()).join('\n')
    assert.deepEqual(leaksIn({ 'what was printed': keyturn.said, 'what was kept on disk': printed }, secrets), [])
  })

  it('answers the same members as on a file', () => {
    const shape = (store: string) => answers.get(store)?.map((body, index) => [life[index]?.command, Object.keys(body).sort().join(' ')])
    assert.deepEqual(shape('gcp'), shape('file'))
  })
})

/** Every password and key in a payload; a staged one has a header line. */
function secretsOf(payload: string): readonly string[] {
  const value: unknown = JSON.parse(payload.slice(payload.indexOf('\n') + 1))
  const found: string[] = []
  const look = (name: string, one: unknown): void => {
    if (typeof one === 'string' && /password|key|secret/i.test(name) && one.length > 15) found.push(one)
    else if (typeof one === 'object' && one !== null) for (const [key, inner] of Object.entries(one)) look(`${name} ${key}`, inner)
  }
  look('', value)
  return found
}
