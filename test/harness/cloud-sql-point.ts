import type { Policy } from '../../shared/core/ports/words.js'
import { AdminApi } from '../../shared/rotators/cloud-sql/api.js'
import { CloudSqlDouble, type SqlInstance } from './cloud-sql.js'
import { GoogleMachine } from './gcp-machine.js'
import { openPlane, type PlaneKind, type PlaneOpened, PlanePoint, PlaneWorld } from './plane-point.js'
import { firstPassword } from './postgres-world.js'
import type { OpenStore } from './world.js'

/** Google's machine, and the Admin API at a double. */
export type CloudSqlWorld = PlaneWorld<CloudSqlDouble>
export async function openCloudSqlWorld(): Promise<CloudSqlWorld> {
  const [machine, double] = [await GoogleMachine.open(), await CloudSqlDouble.open()]
  const calls = ['instance', 'user', 'setPassword', 'operation']
  return PlaneWorld.open({ double, machine, host: 'sqladmin.googleapis.com', api: AdminApi.prototype, calls })
}

/** What kind of instance, and how its values are proven. */
export interface Kind extends PlaneKind {
  readonly version: string
}
export const byAnswer = (version: string): Kind => ({
  name: `${version.split('_')[0]}, by the answer`,
  version,
  policy: { 'keyturn-proven-by': 'answer' },
})

/** One secret before a rotation, and the user of an instance that has its password. */
export class CloudSqlPoint extends PlanePoint {
  readonly instance: SqlInstance
  private constructor(opened: PlaneOpened, instance: SqlInstance) {
    super(opened)
    this.instance = instance
  }

  static async open(
    world: CloudSqlWorld,
    openStore: OpenStore,
    kind: Kind,
    more: object = {},
    policy: Policy = {},
  ): Promise<CloudSqlPoint> {
    world.reset()
    const { version } = kind
    const instance = world.double.make({ version })
    instance.users.set(version.startsWith('MYSQL') ? 'app@%' : 'app', { password: firstPassword })
    const own = { 'keyturn-rotator': 'cloud-sql', 'keyturn-instance': 'shop-prod:europe-west3:main', ...kind.policy, ...policy }
    const has = () => [...instance.users.values()][0]?.password
    return new CloudSqlPoint(await openPlane(world, openStore, { ...kind, policy: own }, more, has), instance)
  }
}
