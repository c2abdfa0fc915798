import {
  type DBCluster,
  type DBInstance,
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  ModifyDBClusterCommand,
  ModifyDBInstanceCommand,
  RDSClient,
} from '@aws-sdk/client-rds'
import { clientDefaults, sayError } from '../../aws/client.js'
import { explainSettings } from '../../aws/explain.js'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { SecretText } from '../../core/secret-text.js'
import { classify, isNotFound } from './errors.js'
import type { Place } from './place.js'

/** One client for each region, kept while the process lives; another one where the SDK's own variable names another endpoint. */
const clients = new Map<string, RDSClient>()

function clientOf(region: string | undefined): RDSClient {
  const key = `${region ?? ''} ${process.env.AWS_ENDPOINT_URL_RDS ?? ''}`
  const known = clients.get(key)
  if (known !== undefined) return known
  const client = new RDSClient({ ...optional('region', region), ...clientDefaults })
  client.middlewareStack.add(explainSettings({}), { step: 'initialize' })
  clients.set(key, client)
  return client
}

/** The only answer. not_found names the field with the identifier, however the identifier was found. */
async function only<T>(place: Place, ask: () => Promise<readonly T[] | undefined>): Promise<T> {
  try {
    const [one] = (await ask()) ?? []
    if (one !== undefined) return one
  } catch (cause) {
    if (!isNotFound(cause)) throw apiError(place, cause)
  }
  throw new RotationError('not_found', `There is no RDS ${place.kind} ${place.id}.`, {
    field: place.kind === 'cluster' ? 'dbClusterIdentifier' : 'dbInstanceIdentifier',
    next: `Put the identifier of the ${place.kind} into the secret, or check the region.`,
  })
}

/** Explains an error of RDS, unless the client did. Outside of a rotation nothing else would explain it. */
function apiError({ kind, id }: Place, cause: unknown): RotationError {
  if (cause instanceof RotationError) return cause
  const action = kind === 'cluster' ? 'rds:DescribeDBClusters' : 'rds:DescribeDBInstances'
  return new RotationError(classify(cause), `RDS did not say what ${kind} ${id} is (${sayError(cause)}).`, {
    cause,
    next: `Allow ${action} on it if that is missing; otherwise try again.`,
  })
}

/** Asks RDS for the instance. not_found names the field with the identifier; any other error names the right that may be missing. */
export const describeInstance = (place: Place): Promise<DBInstance> =>
  only(place, async () => {
    const command = new DescribeDBInstancesCommand({ DBInstanceIdentifier: place.id })
    const answer = await clientOf(place.region).send(command)
    return answer.DBInstances
  })

/** Asks RDS for the cluster. not_found names the field with the identifier; any other error names the right that may be missing. */
export const describeCluster = (place: Place): Promise<DBCluster> =>
  only(place, async () => {
    const command = new DescribeDBClustersCommand({ DBClusterIdentifier: place.id })
    const answer = await clientOf(place.region).send(command)
    return answer.DBClusters
  })

/**
 * Sets the master password; it takes effect some seconds later. For an instance ApplyImmediately is not sent: a password does not need it, and it
 * would start everything else that waits for the maintenance window. For clusters the pages of AWS contradict one another on that, so it is sent; the
 * caller has checked that nothing else waits. https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBCluster.html
 */
export async function setMasterPassword({ kind, id, region }: Place, password: SecretText): Promise<void> {
  const MasterUserPassword = password.reveal()
  const client = clientOf(region)
  if (kind === 'cluster')
    await client.send(new ModifyDBClusterCommand({ DBClusterIdentifier: id, MasterUserPassword, ApplyImmediately: true }))
  else await client.send(new ModifyDBInstanceCommand({ DBInstanceIdentifier: id, MasterUserPassword }))
}
