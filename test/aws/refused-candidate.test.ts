import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { AwsWorld } from '../harness/aws-world.js'
import { Authority } from '../harness/pg-certificates.js'
import { countsOn, freshLog } from '../harness/pg-log.js'
import { createRole, onServers } from '../harness/pg-suite.js'
import { asSuper, logsIn } from '../harness/postgres-client.js'
import { firstPassword } from '../harness/postgres-world.js'

const authority = new Authority()
const certificate = authority.issue(['IP:127.0.0.1'])
const long = firstPassword.repeat(3)

onServers(
  "a candidate that the server's own rule refuses, under RotateSecret",
  (suite) => {
    before(async () => {
      await asSuper(suite.server, 'alter system set passwordcheck.min_password_length = 64')
      await asSuper(suite.server, 'select pg_reload_conf()')
    })

    it('token_spent: current still works, nothing is pending, and the next rotation, with a better rule, succeeds', async () => {
      const { server } = suite
      await createRole(server, 'ruled', long)
      const world = await AwsWorld.open(server)
      try {
        const value = world.value('ruled', long, { ssl: true, ca: authority.ca })
        const arn = world.make('ruled', value, { 'keyturn-rotator': 'postgres', 'keyturn-hash': 'server' })
        await freshLog(server)
        await world.rotate(arn)
        assert.match(world.double.events.at(-2)?.detail ?? '', /setSecret: token_spent: /)
        assert.equal((await countsOn(server)).refused, 1)
        assert.deepEqual(Object.values(world.stagesOf(arn)), [['AWSCURRENT']])
        assert.ok(await logsIn(server, 'ruled', long))
        await world.again(arn) // the service tries the same token again: refused before any login
        assert.match(world.double.events.at(-2)?.detail ?? '', /createSecret: (bad_event|token_spent): /)
        world.double.do('TagResource', { SecretId: arn, Tags: [{ Key: 'keyturn-length', Value: '80' }] })
        await world.rotate(arn)
        assert.equal(world.double.events.at(-1)?.name, 'RotationSucceeded', world.said.join(''))
        assert.equal(world.loginOf(arn).password.length, 80)
        assert.ok(await logsIn(server, 'ruled', world.loginOf(arn).password))
      } finally {
        await world.close()
      }
    })
  },
  () => ({ tls: certificate, settings: { shared_preload_libraries: 'passwordcheck' } }),
  [18], // the setting for the length came with 18
)
