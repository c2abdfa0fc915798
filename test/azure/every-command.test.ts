import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { createProgram } from '../../cli/program.js'
import { clockedBlobs, replaceAzure } from '../harness/azure-command-line.js'
import { Azurite, azuriteSkip } from '../harness/azurite.js'
import { leaksIn } from '../harness/cli-canary.js'
import { firstPassword, setPassword, startServer } from '../harness/cli-postgres.js'
import { type Body, Keyturn } from '../harness/cli-process.js'
import { life, step, type Walk } from '../harness/cli-walk.js'
import { Clock } from '../harness/command-call.js'
import { KeyVaultDouble } from '../harness/key-vault.js'
import { asSuper } from '../harness/postgres-client.js'
import { binariesOf, type PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { suite } from '../harness/suite.js'
import { WebhookServer } from '../harness/webhook-server.js'

const skip = azuriteSkip || (binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS')
/** Not part of the life. */
const outside = {
  'init azure': 'writes a folder of this machine (init.test.ts)',
  'init gcp': 'is about Google Cloud',
  permissions: 'run before the life: it asks no service',
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

suite('every command on a secret of Azure Key Vault', skip, ({ it, before, after }) => {
  let server: PostgresServer
  let hook: WebhookServer
  let azurite: Azurite
  const answers = new Map<string, readonly Body[]>()
  const closing: (() => unknown)[] = []
  before(async () => {
    server = await startServer()
    hook = await WebhookServer.open()
    azurite = await Azurite.start()
  })
  after(async () => {
    for (const close of closing.reverse()) await close()
    await azurite?.stop()
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
    closing.push(() => keyturn.close())
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

  it('works on a secret in Key Vault with a journal in a blob, and shows no value', async () => {
    const walk = await open('azure', (name) => `azure:app/${name}`, { KEYTURN_AZURE_VAULTS: 'app', KEYTURN_AZURE_STORAGE: 'shopjournals' })
    const { keyturn } = walk
    const clock = new Clock()
    keyturn.clock = clock
    const double = KeyVaultDouble.inProcess(clock.now)
    const blobs = clockedBlobs(azurite, clock)
    closing.push(() => blobs.close(), replaceAzure({ double, blobs, azurite }))
    const { text } = await keyturn.ok(['permissions', walk.ref('db')])
    assert.match(String(text), /db-pending/)
    assert.equal(double.calls.length + blobs.calls.length, 0)
    const { error } = await keyturn.json(['put', walk.ref('config')], { stdin: '{"consumers": 1}' })
    assert.deepEqual([error?.code, double.vault().secrets.size], ['bad_config', 0])
    await live(walk)

    const values = double.calls.flatMap(({ name, request }) =>
      name === 'SetSecret' ? [(JSON.parse(request) as { value: string }).value] : [],
    )
    const found = new Set(values.filter((value) => value.startsWith('{')).flatMap(secretsOf))
    const secrets = Object.fromEntries([...found].map((secret, index) => [`value ${index}`, secret]))
    assert.ok(Object.keys(secrets).length > 6)
    const printed = Object.values(await keyturn.files()).join('\n')
    const kept = await textsOf(azurite)
    assert.match(kept, /"announced"/)
    const places = { 'what was printed': keyturn.said, 'what was kept on disk': printed, 'what was kept in blobs': kept }
    assert.deepEqual(leaksIn(places, secrets), [])
    const tags = [...double.vault().secrets.values()].flatMap(({ versions }) => versions.map((version) => JSON.stringify(version.tags)))
    assert.deepEqual(leaksIn({ tags: tags.join('\n') }, secrets), [])
  })

  it('answers the same members as on a file', () => {
    const shape = (store: string) => answers.get(store)?.map((body, index) => [life[index]?.command, Object.keys(body).sort().join(' ')])
    assert.equal(answers.size, 2)
    assert.deepEqual(shape('azure'), shape('file'))
  })
})

/** Every blob of the emulator, with its metadata. */
async function textsOf(azurite: Azurite): Promise<string> {
  const texts: string[] = []
  const account = azurite.client()
  for await (const { name: container } of account.listContainers()) {
    const client = account.getContainerClient(container)
    for await (const { name, metadata } of client.listBlobsFlat({ includeMetadata: true }))
      texts.push(name, JSON.stringify(metadata), (await client.getBlobClient(name).downloadToBuffer()).toString())
  }
  return texts.join('\n')
}

/** Every password and key in a value. */
function secretsOf(value: string): readonly string[] {
  const found: string[] = []
  const look = (name: string, one: unknown): void => {
    if (typeof one === 'string' && /password|key|secret/i.test(name) && one.length > 15) found.push(one)
    else if (typeof one === 'object' && one !== null) for (const [key, inner] of Object.entries(one)) look(`${name} ${key}`, inner)
  }
  look('', JSON.parse(value))
  return found
}
