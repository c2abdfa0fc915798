import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { systemEnv } from '../shared/core/env.js'
import type { Consumer } from '../shared/core/ports/notifier.js'
import type { SecretRef } from '../shared/core/ports/words.js'
import { storeKind } from '../shared/core/refs.js'
import { SecretText } from '../shared/core/secret-text.js'
import { sweep } from '../shared/lifecycle/fleet/sweep.js'
import { rotate } from '../shared/lifecycle/rotation/rotate.js'
import type { Deps } from '../shared/lifecycle/secret/deps.js'
import { noConfiguration } from '../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../shared/notifiers/registry.js'
import { loadRotator } from '../shared/rotators/registry.js'
import { makeFolders } from '../shared/stores/file/home.js'
import { deriveKeys } from '../shared/stores/file/keys.js'
import { FileStore } from '../shared/stores/file.js'
import { type Kind, Lab, type Room } from '../test/harness/kube/lab.js'
import { logsIn } from '../test/harness/postgres-client.js'
import type { PostgresServer } from '../test/harness/postgres-server.js'
import { adminPassword, arrangeRoles, firstPassword } from '../test/harness/postgres-world.js'
import { runToEnd } from './closing.js'
import { applicationsOf, type Login } from './e2e-cluster/applications.js'
import { isEnough, which, whyFake } from './e2e-cluster/which.js'

/**
 * `npm run e2e:cluster -- --json` plays one rotation, from the poke to the end of the old login, with PostgreSQL, the file store and an API server, a
 * real one if there is one. Each pod is an application that logs in without pause with the Secret of its start. Exit 1 if a promise was broken.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const tell = (text: string): void => void (values.json || console.log(text))
const kinds: readonly Kind[] = ['Deployment', 'StatefulSet', 'DaemonSet']
const endMs = 2000
const sweepsMax = 400

/** When the old login was refused, to somebody who tries it every few milliseconds. */
async function refusedAt(server: PostgresServer, { username, password }: Login, stopped: () => boolean): Promise<number | undefined> {
  while (!stopped()) {
    if (!(await logsIn(server, username, password))) return Date.now()
    await delay(20)
  }
  return undefined
}

const loginAt = (server: PostgresServer, username: string, password: string): string =>
  JSON.stringify({ engine: 'postgres', host: '127.0.0.1', port: server.port, username, password, dbname: 'postgres', sslmode: 'disable' })

function depsOf(store: FileStore, consumers: readonly Consumer[], server: PostgresServer): Deps {
  const admin = new SecretText(loginAt(server, 'keyturn_admin', adminPassword))
  return {
    store,
    loadRotator,
    loadNotifier,
    infer: () => ({}),
    configuration: async () => ({
      ...noConfiguration,
      consumers: Object.fromEntries(consumers.map((consumer) => [consumer.key, consumer])),
    }),
    journal: true,
    readAdmin: async () => ({ value: admin, ref: { store: storeKind('file'), key: 'admin', shown: 'file:admin', name: 'admin' } }),
    env: systemEnv({ log: () => {} }),
    audit: { write: async () => {} },
    holder: 'e2e',
    leaseMs: 60_000,
    shortGrace: true,
  }
}

/** Sweeps until the old login is retired. Returns when every consumer had been seen as synced. */
async function sweepToTheEnd(deps: Deps, ref: SecretRef): Promise<{ readonly syncedAt: number; readonly retired: boolean }> {
  let [syncedAt, said] = [0, '']
  for (let turn = 0; turn < sweepsMax; turn++) {
    for await (const { outcome } of sweep(deps)) {
      if (outcome !== said) tell(outcome)
      said = outcome
    }
    const { journal } = await deps.store.describe(ref)
    const phases = Object.values(journal?.seen ?? {}).map(({ phase }) => phase)
    if (syncedAt === 0 && phases.every((phase) => phase !== 'requested' && phase !== 'failed')) syncedAt = Date.now()
    if (journal?.retiring.length === 0 && journal.announced !== undefined) return { syncedAt, retired: true }
    await delay(50)
  }
  return { syncedAt, retired: false }
}

async function currentText(store: FileStore, ref: SecretRef): Promise<string> {
  const { current } = await store.describe(ref)
  if (current === undefined) throw new Error('the secret has no current version')
  return (await store.read(ref, current.id)).reveal()
}

async function play(server: PostgresServer, room: Room, home: string) {
  const store = new FileStore(home, deriveKeys(randomBytes(32)), systemEnv({ log: () => {} }))
  const consumers = kinds.map((kind) => ({ ...room.consumer({ workloads: [`${kind}/${kind.toLowerCase()}`] }), key: kind.toLowerCase() }))
  const policy = {
    'keyturn-rotator': 'postgres',
    'keyturn-strategy': 'alternate',
    'keyturn-pair': 'app_a app_b',
    'keyturn-admin': 'file:admin',
  }
  const told = { 'keyturn-consumers': consumers.map(({ key }) => key).join(' '), 'keyturn-grace': '1s' }
  room.value = loginAt(server, 'app_a', firstPassword)
  room.operator.refresh()
  const ref = await store.create('db', new SecretText(room.value), { ...policy, ...told })
  room.provider = () => currentText(store, ref) // the operator reads the file store itself, as its webhook provider would
  const deps = depsOf(store, consumers, server)
  const applications = applicationsOf(room, server)
  await delay(300) // the operator has written the first value
  for (const kind of kinds) await room.makeWorkload(kind, {}, kind.toLowerCase())
  while (applications.size < 5) await delay(20)
  tell('five pods of a Deployment, a StatefulSet and a DaemonSet log in as app_a')
  for await (const _ of sweep(deps)); // everybody hears of the first value
  await delay(1100)
  const old = [...applications.values()]
  const startedAt = Date.now()
  await rotate(deps, { kind: 'rotate', ref: 'file:db', at: Date.now() })
  tell('rotated: app_b is current')
  let stopped = false
  const refused = refusedAt(server, { username: 'app_a', password: firstPassword }, () => stopped)
  const pokedAt = Date.now()
  const { syncedAt, retired } = await sweepToTheEnd(deps, ref)
  const drainedAt = Math.max(...old.map(({ endedAt = Number.POSITIVE_INFINITY }) => endedAt))
  const refusedSince = await Promise.race([refused, delay(3000).then(() => undefined)])
  stopped = true
  const all = [...applications.values()]
  await Promise.all(all.map((one) => one.end()))
  return {
    logins: all.reduce((sum, { logins }) => sum + logins, 0),
    loginFailures: all.reduce((sum, { failures }) => sum + failures, 0),
    retiredAfterDrain: retired && refusedSince !== undefined && refusedSince >= drainedAt,
    secondsToDrain: Number(((drainedAt - startedAt) / 1000).toFixed(1)),
    pokeToSyncedMs: syncedAt - pokedAt,
    pods: all.length,
    server: which,
  }
}

await runToEnd(async (closing) => {
  const removed = (path: string): Promise<void> => rm(path, { recursive: true, force: true })
  const home = await closing.openWith(removed, () => mkdtemp(join(tmpdir(), 'keyturn-e2e-')))
  const server = await closing.openPostgres()
  const lab = await closing.open(() => Lab.open(which))
  await makeFolders(home)
  await arrangeRoles(server)
  const room = await closing.openLoops(() => lab.room(endMs))
  const result = await play(server, room, home)
  await room.close()
  console.log(
    values.json
      ? JSON.stringify(result)
      : Object.entries(result)
          .map(([key, value]) => `${key} ${value}`)
          .join(' · '),
  )
  if (which === 'fake' && !values.json) console.log(`The API server is a stand-in: ${whyFake}`)
  process.exitCode = isEnough && result.loginFailures === 0 && result.retiredAfterDrain && result.pods === 10 ? 0 : 1
})
