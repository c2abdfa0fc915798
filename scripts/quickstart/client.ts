import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { readConfig } from '../../shared/app/config.js'
import { openApp } from '../../shared/app/wire.js'
import { systemEnv } from '../../shared/core/env.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { signMessage, whyNotSigned } from '../../shared/core/signature.js'

/**
 * An application. It logs in again and again with the current value of the store, and holds two sessions that it opens again when the secret
 * has changed; then it says so in a signed answer. It tells its parent how often it logged in and how often that failed.
 */
const app = openApp(readConfig(process.env), systemEnv({ log: () => {} }))
const store = await app.admin('file:db')
const ref = await store.resolve('file:db')

interface Value {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly dbname: string
}
const counts = { logins: 0, failures: 0, lastFailure: '' }
let stopped = false
process.on('message', () => {
  stopped = true
})
process.on('disconnect', () => process.exit(0)) // the parent is gone: nobody is left to stop this process

async function current(): Promise<{ version: string; value: Value }> {
  const state = await store.describe(ref)
  if (state.current === undefined) throw new Error('the secret has no current version')
  return { version: state.current.id, value: JSON.parse((await store.read(ref, state.current.id)).reveal()) as Value }
}

async function login({ host, port, username, password, dbname }: Value): Promise<pg.Client | undefined> {
  const client = new pg.Client({ host, port, user: username, password, database: dbname, ssl: false, application_name: 'application' })
  client.on('error', () => undefined)
  try {
    await client.connect()
    counts.logins++
    return client
  } catch (cause) {
    counts.failures++
    counts.lastFailure = cause instanceof Error ? cause.message : 'unknown'
    return undefined
  }
}

let pool: pg.Client[] = []
let poolOf = ''
let toldAt = 0

/** docs/webhooks.md: genuine, then followed, then a signed receipt. */
const key = new SecretText(process.env.APPLICATION_KEY ?? '')
const server = createServer(async (request, response) => {
  const body = await text(request)
  const { id, data } = JSON.parse(body) as { id: string; data: { version: string } }
  if (whyNotSigned([key], request.headers, body, Date.now()) !== undefined) {
    response.writeHead(401).end()
    return
  }
  for (let tries = 0; poolOf !== data.version && tries < 300; tries++) await delay(10)
  const receipt = JSON.stringify({ type: 'keyturn.receipt', id, phase: poolOf === data.version ? 'drained' : 'requested' })
  response.writeHead(200, { ...signMessage([key], id, Date.now(), receipt) }).end(receipt)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
const tell = () => process.send?.({ ...counts, port })

while (!stopped) {
  const { version, value } = await current()
  if (version !== poolOf) {
    await Promise.all(pool.map((client) => client.end()))
    pool = (await Promise.all([login(value), login(value)])).filter((client) => client !== undefined)
    poolOf = version
  }
  await (await login(value))?.end()
  for (const client of pool) await client.query('select 1')
  if (Date.now() - toldAt > 100) {
    tell()
    toldAt = Date.now()
  }
  await delay(5)
}
await Promise.all(pool.map((client) => client.end()))
server.close()
server.closeAllConnections()
process.send?.({ ...counts, port }, () => process.disconnect())
