import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { SecretText } from '../../shared/core/secret-text.js'
import { signMessage } from '../../shared/core/signature.js'
import { adminPassword, firstPassword, valueFor } from './cli-postgres.js'
import type { Body, Keyturn } from './cli-process.js'
import { callCommand } from './command-call.js'
import { key, type WebhookServer } from './webhook-server.js'

/** What a row of the table works with. `ref` makes a ref of the store under test. */
export interface Walk {
  readonly keyturn: Keyturn
  readonly server: { readonly port: number }
  readonly hook: WebhookServer
  ref(name: string): string
  readonly store: string
}
/** One command line, in the order of a life. */
export interface Row {
  readonly command: string
  readonly words?: (walk: Walk) => readonly string[]
  readonly stdin?: (walk: Walk) => string
  /** Before it. */
  readonly laterMs?: number
  readonly run?: (walk: Walk) => Promise<Body>
  /** What must be in its answer. */
  readonly answer?: Body
}

const configurationOf = ({ hook }: Walk): string =>
  JSON.stringify({
    consumers: {
      shop: { kind: 'manual', required: true },
      billing: { kind: 'webhook', url: `http://127.0.0.1:${hook.port}/hook`, plaintext: true, allow: ['127.0.0.0/8'], keys: [key] },
    },
  })
const named =
  (name: string, ...more: readonly string[]) =>
  (walk: Walk) => [walk.ref(name), ...more]
const inStore = ({ store }: Walk): readonly string[] => ['--store', store]
const dataKey = 'ab'.repeat(32)

/** Every command, on secrets of one store and a real PostgreSQL. A command that stands here twice does two things. */
export const life: readonly Row[] = [
  { command: 'schema', words: () => ['config'] },
  { command: 'completion', words: () => ['bash'] },
  { command: 'config check', stdin: configurationOf },
  { command: 'put', words: named('config'), stdin: configurationOf, answer: { outcome: 'created' } },
  { command: 'put', words: named('pg-admin'), stdin: ({ server }) => valueFor(server, 'keyturn_admin', adminPassword) },
  { command: 'put', words: named('db'), stdin: ({ server }) => valueFor(server, 'app_a', firstPassword), answer: { outcome: 'created' } },
  {
    command: 'adopt',
    words: (walk) => [
      walk.ref('db'),
      'strategy=alternate',
      'pair=app_a app_b',
      `admin=${walk.ref('pg-admin')}`,
      'consumers=shop billing',
      'every=90d',
    ],
    answer: { logsIn: true, rotator: 'postgres' },
  },
  { command: 'policy', words: named('db', 'grace=1s') },
  { command: 'list', words: inStore },
  { command: 'verify', words: named('db'), answer: { logsIn: true } },
  { command: 'sweep', words: inStore, answer: { failed: 0 } },
  { command: 'seen', words: named('db', '--consumer', 'shop') },
  { command: 'rotate', words: named('db'), answer: { outcome: 'published' } },
  { command: 'status', words: named('db') },
  { command: 'plan', words: inStore },
  { command: 'get', words: (walk) => [walk.ref('db'), '--output-file', join(walk.keyturn.folder, `value-of-${walk.store}`)] },
  { command: 'receive', run: receive },
  { command: 'seen', words: named('db', '--consumer', 'shop') },
  { command: 'retire', words: named('db'), laterMs: 5000 },
  { command: 'rotate', words: named('db'), laterMs: 5000, answer: { outcome: 'published' } },
  { command: 'rollback', words: named('db', '--reason', 'the report job fails') },
  { command: 'revoke', words: named('db', '--now', '--reason', 'it leaked'), laterMs: 5000 },
  { command: 'put', words: named('data'), stdin: () => `{"encryption-key": "${dataKey}"}` },
  {
    command: 'adopt',
    words: named('data', '--rotator', 'keyring', 'field=encryption-key', 'count=2', 'grace=1s'),
    answer: { rotator: 'keyring' },
  },
  { command: 'rotate', words: named('data'), answer: { outcome: 'published' } },
  { command: 'reencrypted', words: named('data', '--key', 'first'), laterMs: 5000, answer: { outcome: 'released' } },
  { command: 'recover', words: named('db') },
  { command: 'recover', words: named('db', '--yes') },
  { command: 'doctor', words: inStore },
  { command: 'release', words: named('data') },
  { command: 'audit verify' },
]

/** Carries out one row; answers what the command said. */
export async function step(walk: Walk, { command, words = () => [], stdin, laterMs = 0, run, answer = {} }: Row): Promise<Body> {
  walk.keyturn.clock?.setAhead(laterMs)
  const line = [...command.split(' '), ...words(walk)]
  const body = run === undefined ? await walk.keyturn.ok(line, stdin === undefined ? {} : { stdin: stdin(walk) }) : await run(walk)
  assert.deepEqual({ ...body, ...answer }, body, line.join(' '))
  return body
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : assert.fail('no port')
}

/** Listens, gets a signed callback of the consumer that was told, and ends by a signal. */
async function receive({ keyturn, hook, ref }: Walk): Promise<Body> {
  const told = JSON.parse(hook.got.at(-1)?.body ?? '{}') as { id: string; data: { ref: string } }
  const stop = new AbortController()
  const port = await freePort()
  const env = { ...keyturn.env, KEYTURN_HOME: keyturn.home, HOME: keyturn.folder }
  const terminal = { env, ...(keyturn.clock === undefined ? {} : { clock: keyturn.clock }), cancelled: stop.signal }
  const ended = callCommand(['--json', 'receive', '--listen', `127.0.0.1:${port}`], terminal)
  const body = JSON.stringify({ type: 'keyturn.receipt', id: told.id, phase: 'drained', ref: ref('db'), consumer: 'billing' })
  const post = () => {
    const headers = { ...signMessage([new SecretText(key)], 'message', keyturn.clock?.now() ?? Date.now(), body) }
    return fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body }).then(
      ({ status }) => status,
      () => undefined,
    )
  }
  let status = await post()
  for (let tries = 0; status === undefined && tries < 200; tries++) {
    await delay(20)
    status = await post()
  }
  stop.abort()
  const { code, stdout, stderr } = await ended
  keyturn.said += `${stdout}\n${stderr}\n`
  assert.deepEqual([status, code], [202, 0], stdout + stderr)
  return JSON.parse(stdout) as Body
}
