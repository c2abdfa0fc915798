import { RotationError } from '../../core/errors.js'
import type { SecretText } from '../../core/secret-text.js'
import { readShape } from '../../core/shapes/index.js'

/** Which database is meant, and in which region. */
export interface Place {
  readonly kind: 'instance' | 'cluster'
  readonly id: string
  /** undefined: the SDK's own rules decide. */
  readonly region?: string
}

/** `<name>[.<cluster->hash].<region>.rds.amazonaws.com`: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html */
const endpoint =
  /^([a-z0-9-]+)\.(cluster-ro-|cluster-custom-|cluster-|proxy-)?[a-z0-9]+\.(?:([a-z0-9-]+)\.rds|rds\.(cn-[a-z0-9-]+))\.amazonaws\.com(?:\.cn)?$/

/**
 * Finds the database by the identifier that the secret names (`dbInstanceIdentifier` or `dbClusterIdentifier`, as in the vendor's own secrets), else by
 * the one that its host begins with. bad_value where neither names it.
 */
export function placeOf(value: SecretText, host: string): Place {
  const [, name, cluster, usual, china] = endpoint.exec(host.toLowerCase()) ?? []
  const region = usual ?? china
  const there = region === undefined ? {} : { region }
  const shape = readShape(value)
  const named = (field: string): string | undefined => {
    const id = shape.kind === 'json' ? shape.fields.get(field) : undefined
    return typeof id === 'string' && id !== '' ? id : undefined
  }
  const clusterId = named('dbClusterIdentifier')
  const instanceId = named('dbInstanceIdentifier')
  if (clusterId !== undefined) return { kind: 'cluster', id: clusterId, ...there }
  if (instanceId !== undefined) return { kind: 'instance', id: instanceId, ...there }
  if (name !== undefined && cluster === undefined) return { kind: 'instance', id: name, ...there }
  const isCluster = cluster === 'cluster-' || cluster === 'cluster-ro-'
  if (name !== undefined && isCluster) return { kind: 'cluster', id: name, ...there }
  throw new RotationError('bad_value', `The host ${host} names neither an RDS instance nor a cluster.`, {
    field: 'dbInstanceIdentifier',
    next: 'Put dbInstanceIdentifier or dbClusterIdentifier into the secret beside the host.',
  })
}
