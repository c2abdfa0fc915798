import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { readConfig } from '../../shared/app/config.js'
import { openApp } from '../../shared/app/wire.js'
import { systemEnv } from '../../shared/core/env.js'

/**
 * An application: logs in again and again with what the store says is current, and holds two sessions that it opens anew within a second after
 * the store changed. Tells its parent how often it logged in and how often that failed.
 */
const app = openApp(readConfig(process.env), systemEnv({ log: () => {} }))
const store = await app.store('file:db')
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
    process.send?.(counts)
    toldAt = Date.now()
  }
  await delay(5)
}
await Promise.all(pool.map((client) => client.end()))
process.send?.(counts, () => process.disconnect())
