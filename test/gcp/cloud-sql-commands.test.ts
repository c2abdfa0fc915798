import { after, before, describe } from 'node:test'
import type { SqlInstance } from '../harness/cloud-sql.js'
import { type CloudSqlWorld, openCloudSqlWorld } from '../harness/cloud-sql-point.js'
import { itIsCommanded } from '../harness/plane-commands.js'
import { firstPassword } from '../harness/postgres-world.js'

describe('the command line, with a user of Cloud SQL that no login can try', () => {
  let world: CloudSqlWorld
  let instance: SqlInstance
  before(async () => {
    world = await openCloudSqlWorld()
  })
  after(() => world.close())

  itIsCommanded({
    world: () => world,
    make: () => {
      instance = world.double.make({ version: 'MYSQL_8_0' })
      const { users } = instance
      users.set('app@%', { password: firstPassword })
      return () => users.get('app@%')?.password ?? ''
    },
    adopted: () => ['--rotator', 'cloud-sql', 'instance=shop-prod:europe-west3:main', 'proven-by=answer'],
    lose: () => instance.users.clear(),
    lost: /^keyturn: bad_value \(username\): projects\/shop-prod\/instances\/main has no user app\./m,
  })
})
