import type { Policy } from '../../shared/core/ports/words.js'
import { ManagementApi } from '../../shared/rotators/azure-flexible-server/api.js'
import { AzureMachine } from './azure-machine.js'
import { AzureManagementDouble, type FlexibleServer, idOf } from './azure-management.js'
import { openPlane, type PlaneKind, type PlaneOpened, PlanePoint, PlaneWorld } from './plane-point.js'
import { firstPassword } from './postgres-world.js'
import type { OpenStore } from './world.js'

/** Azure's machine, and Azure Resource Manager at a double that takes the tokens of its identity. */
export type FlexibleWorld = PlaneWorld<AzureManagementDouble>
export async function openFlexibleWorld(): Promise<FlexibleWorld> {
  const [machine, double] = [await AzureMachine.open(), await AzureManagementDouble.open()]
  double.wantsToken = machine.judge
  const calls = ['server', 'setPassword', 'operation']
  return PlaneWorld.open({ double, machine, host: 'management.azure.com', api: ManagementApi.prototype, calls })
}

/** What kind of server, and how its values are proven. */
export interface FlexibleKind extends PlaneKind {
  readonly provider: FlexibleServer['provider']
}
export const byAnswer = (provider: FlexibleServer['provider']): FlexibleKind => ({
  name: `${provider}, by the answer`,
  provider,
  policy: { 'keyturn-proven-by': 'answer' },
})

/** One secret before a rotation, and the administrator of a server that has its password. */
export class FlexiblePoint extends PlanePoint {
  readonly server: FlexibleServer
  private constructor(opened: PlaneOpened, server: FlexibleServer) {
    super(opened)
    this.server = server
  }

  static async open(
    world: FlexibleWorld,
    openStore: OpenStore,
    kind: FlexibleKind,
    more: object = {},
    policy: Policy = {},
  ): Promise<FlexiblePoint> {
    world.reset()
    const server = world.double.make({ provider: kind.provider, password: firstPassword })
    const own = { 'keyturn-rotator': 'azure-flexible-server', 'keyturn-resource-id': idOf(server), ...kind.policy, ...policy }
    return new FlexiblePoint(await openPlane(world, openStore, { ...kind, policy: own }, more, () => server.password), server)
  }
}
