import { RotationError } from '../../core/errors.js'
import type { SecretText } from '../../core/secret-text.js'
import { readShape } from '../../core/shapes/index.js'

/** Which database is meant, at which endpoint of the service. */
export interface Place {
  readonly kind: 'instance' | 'cluster'
  readonly id: string
  /** Undefined: the SDK's own rules. */
  readonly region?: string
}

/** `<name>[.<cluster->hash].<region>.rds.amazonaws.com`: https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html */
const endpoint =
  /^([a-z0-9-]+)\.(cluster-ro-|cluster-custom-|cluster-|proxy-)?[a-z0-9]+\.(?:([a-z0-9-]+)\.rds|rds\.(cn-[a-z0-9-]+))\.amazonaws\.com(?:\.cn)?$/

/**
 * The identifier that the secret names (`dbInstanceIdentifier` or `dbClusterIdentifier`, as the vendor's own secrets have them), else the one that
 * its host begins with. bad_value where neither tells.
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
  const [clusterId, instanceId] = [named('dbClusterIdentifier'), named('dbInstanceIdentifier')]
  if (clusterId !== undefined) return { kind: 'cluster', id: clusterId, ...there }
  if (instanceId !== undefined) return { kind: 'instance', id: instanceId, ...there }
  if (name !== undefined && cluster === undefined) return { kind: 'instance', id: name, ...there }
  if (name !== undefined && (cluster === 'cluster-' || cluster === 'cluster-ro-')) return { kind: 'cluster', id: name, ...there }
  throw new RotationError('bad_value', `The host ${host} does not tell which instance or cluster is meant.`, {
    field: 'dbInstanceIdentifier',
    next: 'Put dbInstanceIdentifier or dbClusterIdentifier into the secret beside the host.',
  })
}
