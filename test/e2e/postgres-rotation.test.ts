import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { whole } from '../crash/sample.js'
import { loginsIn, logsIn } from '../harness/postgres-client.js'
import { binariesOf, type Major, majors, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword, PostgresWorld } from '../harness/postgres-world.js'

const wanted: readonly Major[] = whole ? majors : [18]

for (const major of wanted) {
  const skip = binariesOf(major) ? false : `PostgreSQL ${major} is not installed; test/setup.sh does it`
  describe(`PostgreSQL ${major}`, { skip }, () => {
    let server: PostgresServer
    before(async () => {
      server = await PostgresServer.start({ major, settings: { log_statement: 'all' } })
      await arrangeRoles(server)
    })
    after(async () => {
      await server?.stop()
      await removeCopies()
    })

    it('replace: the account changes its own password in two connections', async () => {
      const world = await PostgresWorld.open(server)
      server.clearLog()
      const result = await world.rotate()
      const { password } = await world.current()
      assert.equal(result.outcome, 'published')
      assert.deepEqual(result.steps, ['create', 'set', 'test', 'finish'])
      assert.deepEqual(loginsIn(server.log), { accepted: 2, refused: 0 })
      assert.ok((result.windowMs ?? 0) > 0)
      assert.ok(await logsIn(server, 'app', password ?? ''))
      assert.ok(!(await logsIn(server, 'app', firstPassword)))
    })

    for (const pair of ['app_a app_b', 'plain plain_clone']) {
      it(`alternate with ${pair}: the idle login is set, the current one keeps working`, async () => {
        const [username = '', other = ''] = pair.split(' ')
        const policy = { 'keyturn-strategy': 'alternate', 'keyturn-pair': pair, 'keyturn-admin': 'memory:admin', 'keyturn-grace': '1s' }
        const world = await PostgresWorld.open(server, { policy, value: { username } })
        server.clearLog()
        const result = await world.rotate()
        assert.deepEqual(
          result.differences.filter(({ fatal }) => fatal),
          [],
        )
        assert.deepEqual(loginsIn(server.log), { accepted: 2, refused: 0 })
        const { password = '', username: now } = await world.current()
        assert.equal(now, other)
        assert.ok(await logsIn(server, other, password))
        assert.ok(await logsIn(server, username, firstPassword))
        world.skewMs += 60_000
        await world.rotate()
        assert.equal((await world.current()).username, username)
        assert.ok(await logsIn(server, other, password))
      })
    }
  })
}
