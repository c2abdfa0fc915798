import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chown, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freshLog } from '../harness/pg-log.js'
import { createRole, pendingOf, published, wantedMajors } from '../harness/pg-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies, superPassword } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword, PostgresWorld } from '../harness/postgres-world.js'

const run = promisify(execFile)

/** A streaming standby from a cold copy: pg_basebackup does not come with the test servers. */
async function standbyOf(primary: PostgresServer, major: (typeof wantedMajors)[number]): Promise<PostgresServer> {
  const standby = await PostgresServer.start({ major })
  await Promise.all([standby.halt(), primary.halt()])
  const { uid, gid } = await stat(standby.data)
  await rm(standby.data, { recursive: true })
  await run('cp', ['-a', primary.data, standby.data])
  const source = `host=127.0.0.1 port=${primary.port} user=postgres password=${superPassword}`
  const settings = { port: String(standby.port), hot_standby: 'on', primary_conninfo: source }
  const text = Object.entries(settings).map(([key, value]) => `${key} = '${value}'\n`)
  for (const [name, content] of [
    ['postgresql.auto.conf', text.join('')],
    ['standby.signal', ''],
  ] as const) {
    const path = join(standby.data, name)
    await writeFile(path, content, { mode: 0o600 })
    await chown(path, uid, gid)
  }
  primary.clearLog()
  await primary.launch()
  standby.clearLog()
  await standby.launch()
  return standby
}

const position = async (server: PostgresServer, text: string): Promise<string> =>
  (await asSuper<{ at: string }>(server, `select (${text})::text as at`))[0]?.at ?? ''
async function caughtUp(primary: PostgresServer, standby: PostgresServer): Promise<void> {
  const target = await position(primary, 'pg_current_wal_lsn()')
  for (let tries = 0; (await position(standby, `pg_last_wal_replay_lsn() >= '${target}'`)) !== 'true'; tries++) {
    if (tries > 500) throw new Error('The standby does not follow.')
    await delay(10)
  }
}

for (const major of wantedMajors) {
  const skip = binariesOf(major) ? false : `PostgreSQL ${major} is not installed; test/setup.sh does it`
  describe(`a standby (PostgreSQL ${major})`, { skip }, () => {
    let primary: PostgresServer
    let standby: PostgresServer
    before(async () => {
      primary = await PostgresServer.start({ major })
      await arrangeRoles(primary)
      for (const role of ['pair_a', 'pair_b', 'own', 'held']) await createRole(primary, role, firstPassword)
      await asSuper(primary, 'alter role own set default_transaction_read_only = off')
      standby = await standbyOf(primary, major)
    })
    after(async () => {
      await standby?.stop()
      await primary?.stop()
      await removeCopies()
    })

    for (const [name, username, policy] of [
      ['replace by the account itself', 'held', {}],
      ['replace by an administrator', 'held', { 'keyturn-admin': 'memory:admin' }],
      ['alternate', 'pair_a', { 'keyturn-admin': 'memory:admin', 'keyturn-strategy': 'alternate', 'keyturn-pair': 'pair_a pair_b' }],
    ] as const) {
      it(`${name} at a standby is refused, and nothing is changed`, async () => {
        const world = await PostgresWorld.open(standby, { policy, value: { username } })
        const before_ = published(await world.store.describe(world.ref))
        await freshLog(primary)
        await assert.rejects(world.rotate(), (cause: Error & { code?: string; field?: string; next?: string }) => {
          assert.deepEqual({ code: cause.code, field: cause.field }, { code: 'target_read_only', field: 'host' })
          return (cause.next ?? '').includes('writable endpoint')
        })
        assert.deepEqual(published(await world.store.describe(world.ref)), before_)
        const pending = await pendingOf(world)
        for (const server of [primary, standby]) {
          assert.ok(await logsIn(server, username, firstPassword))
          assert.ok(!(await logsIn(server, pending?.username ?? '', pending?.password ?? '')))
        }
      })
    }

    it('a rotation at the primary reaches the standby', async () => {
      const world = await PostgresWorld.open(primary, { value: { username: 'own' } })
      assert.equal((await world.rotate()).outcome, 'published')
      const { password = '' } = await world.current()
      await caughtUp(primary, standby)
      assert.ok(await logsIn(standby, 'own', password))
      assert.ok(!(await logsIn(standby, 'own', firstPassword)))
    })

    it('a rotation that began at a standby goes on where that has become the primary', async () => {
      const world = await PostgresWorld.open(standby, { value: { username: 'held' } })
      await assert.rejects(world.rotate(), (cause: Error & { code?: string }) => cause.code === 'target_read_only')
      const staged = await pendingOf(world)
      await primary.halt()
      await asSuper(standby, 'select pg_promote()')
      assert.equal((await world.rotate()).outcome, 'published')
      assert.equal((await world.current()).password, staged?.password)
      assert.ok(await logsIn(standby, 'held', staged?.password ?? ''))
    })
  })
}
