import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword, PostgresWorld } from '../harness/postgres-world.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const scram = 'host all all 127.0.0.1/32 scram-sha-256'

describe('a login that the server did not check proves nothing', { skip }, () => {
  const servers: PostgresServer[] = []
  const start = async (hba: readonly string[]): Promise<PostgresServer> => {
    const server = await PostgresServer.start({ hba })
    servers.push(server)
    await arrangeRoles(server)
    return server
  }
  let trusting: PostgresServer
  before(async () => {
    trusting = await start(['host all app 127.0.0.1/32 trust', 'host all app_b 127.0.0.1/32 trust', scram])
  })
  after(async () => {
    for (const server of servers) await server.stop()
    await removeCopies()
  })

  it('replace behind a trust line: password_not_checked before anything is changed', async () => {
    const world = await PostgresWorld.open(trusting)
    await assert.rejects(world.rotate(), { code: 'password_not_checked' })
    assert.equal((await world.current()).password, firstPassword)
    assert.equal((await world.store.describe(world.ref)).current?.ours, undefined)
  })

  it('alternate with a trust line for the idle login: set, but never published', async () => {
    const policy = { 'keyturn-strategy': 'alternate', 'keyturn-pair': 'app_a app_b', 'keyturn-admin': 'memory:admin' }
    const world = await PostgresWorld.open(trusting, { policy, value: { username: 'app_a' } })
    await assert.rejects(world.rotate(), { code: 'password_not_checked' })
    assert.equal((await world.current()).username, 'app_a')
    assert.ok(await logsIn(trusting, 'app_a', firstPassword))
  })
})
