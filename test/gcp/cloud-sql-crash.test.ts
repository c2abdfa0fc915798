import { after, before, describe } from 'node:test'
import { settingFor } from '../crash/settings.js'
import type { SqlFault } from '../harness/cloud-sql.js'
import { byAnswer, CloudSqlPoint, type CloudSqlWorld, type Kind, openCloudSqlWorld } from '../harness/cloud-sql-point.js'
import { watchedGcp } from '../harness/gcp-watched.js'
import { itSurvives } from '../harness/plane-crash.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles } from '../harness/postgres-world.js'
import type { OpenStore } from '../harness/world.js'

const noServer = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const faults: readonly SqlFault[] = ['cut', 'drop', 'throttle', 'quota', 'error', 'busy', 'busy 403']

describe('a rotation through the Admin API of Cloud SQL', () => {
  const watched = watchedGcp()
  const stores: readonly (readonly [name: string, open: OpenStore, every: number])[] = [
    ['memory, as Secret Manager', settingFor('gcp', 'a').openStore, 1],
    ['Secret Manager', watched.openReads ?? watched.open, 12],
  ]
  let world: CloudSqlWorld
  let server: PostgresServer | undefined
  before(async () => {
    world = await openCloudSqlWorld()
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
  const kinds = (): readonly Kind[] => [
    byAnswer('MYSQL_8_0'),
    byAnswer('POSTGRES_16'),
    ...(server === undefined ? [] : [{ name: 'POSTGRES, by login', version: 'POSTGRES_18', policy: {}, server }]),
  ]

  for (const [store, openStore, every] of stores)
    itSurvives({
      store,
      openStore,
      every,
      world: () => world,
      kinds,
      open: (opened, kind) => CloudSqlPoint.open(world, opened, kind),
      faults,
      sets: 'PUT',
    })
})
