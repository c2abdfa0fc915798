import { after, before, describe } from 'node:test'
import { type FlexibleWorld, openFlexibleWorld } from '../harness/azure-flexible-point.js'
import { idOf } from '../harness/azure-management.js'
import { itIsCommanded } from '../harness/plane-commands.js'
import { firstPassword } from '../harness/postgres-world.js'

describe('the command line, with an administrator of a flexible server that no login can try', () => {
  let world: FlexibleWorld
  before(async () => {
    world = await openFlexibleWorld()
  })
  after(() => world.close())
  const place = { group: 'shop', name: 'main', provider: 'Microsoft.DBforMySQL' } as const

  itIsCommanded({
    world: () => world,
    make: () => {
      const server = world.double.make({ ...place, password: firstPassword })
      return () => server.password
    },
    adopted: () => ['--rotator', 'azure-flexible-server', `resource-id=${idOf(place)}`, 'proven-by=answer'],
    lose: () => world.double.servers.splice(0),
    lost: /^keyturn: bad_policy \(keyturn-resource-id\): There is no flexible server \/subscriptions\/.*\/flexibleServers\/main \(404 ResourceNotFound\)\./m,
  })
})
