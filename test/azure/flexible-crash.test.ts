import { after, before, describe } from 'node:test'
import { settingFor } from '../crash/settings.js'
import { byAnswer, type FlexibleKind, FlexiblePoint, type FlexibleWorld, openFlexibleWorld } from '../harness/azure-flexible-point.js'
import type { ManagementFault } from '../harness/azure-management.js'
import { watchedAzure } from '../harness/azure-watched.js'
import { azuriteSkip } from '../harness/azurite.js'
import { itSurvives } from '../harness/plane-crash.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles } from '../harness/postgres-world.js'
import type { OpenStore } from '../harness/world.js'

const noServer = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const faults: readonly ManagementFault[] = ['cut', 'drop', 'throttle', 'error', 'busy', 'busy older']

describe('a rotation of a flexible server through Azure Resource Manager', () => {
  const watched = watchedAzure()
  const stores: readonly (readonly [name: string, open: OpenStore, every: number])[] = [
    ['memory, as Key Vault', settingFor('azure', 'a').openStore, 4],
    ...(azuriteSkip ? [] : [['Key Vault', watched.openReads ?? watched.open, 24] as const]),
  ]
  let world: FlexibleWorld
  let server: PostgresServer | undefined
  before(async () => {
    world = await openFlexibleWorld()
    if (noServer) return
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  after(async () => {
    await world.close()
    await watched.close?.()
    await server?.stop()
    await removeCopies()
  })
  const kinds = (): readonly FlexibleKind[] => [
    byAnswer('Microsoft.DBforMySQL'),
    byAnswer('Microsoft.DBforPostgreSQL'),
    ...(server === undefined ? [] : [{ name: 'PostgreSQL, by login', provider: 'Microsoft.DBforPostgreSQL', policy: {}, server } as const]),
  ]

  for (const [store, openStore, every] of stores)
    itSurvives({
      store,
      openStore,
      every,
      world: () => world,
      kinds,
      open: (opened, kind) => FlexiblePoint.open(world, opened, kind),
      faults,
      sets: 'PATCH',
    })
})
