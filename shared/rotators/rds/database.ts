import type { DBCluster, DBInstance } from '@aws-sdk/client-rds'
import { RotationError } from '../../core/errors.js'
import type { DatabaseLogin } from '../sql/login.js'
import { describeCluster, describeInstance } from './api.js'
import type { Place } from './place.js'

/** What the control plane says about a database, an instance or a cluster. */
export interface Database {
  /** The place where its master password is changed: for a member of a cluster, the cluster. */
  readonly place: Place
  /** With region and account: one name may be in several. */
  readonly arn: string | undefined
  readonly engine: string
  readonly status: string
  /** Every host name under which it is reached, in lower case. */
  readonly hosts: readonly string[]
  readonly port: number | undefined
  readonly masterUser: string
  /** Whether a new master password was sent and is not in effect yet. */
  readonly changing: boolean
  /** The secret in which RDS itself keeps and rotates the master password. */
  readonly managedBy: string | undefined
  /** Whether another change waits for the maintenance window. */
  readonly queued: boolean
  /** The database that it copies, by name or ARN. */
  readonly replicaOf: { readonly kind: 'db' | 'cluster'; readonly source: string } | undefined
}

const resetting = 'resetting-master-credentials'
const hostsOf = (...hosts: readonly (string | undefined)[]): readonly string[] =>
  hosts.filter((host) => host !== undefined).map((host) => host.toLowerCase())

/** Looks at a database, with one or two calls. not_found. */
export async function lookAt(place: Place): Promise<Database> {
  if (place.kind === 'cluster') return ofCluster(place, await describeCluster(place))
  const instance = await describeInstance(place)
  const cluster = instance.DBClusterIdentifier
  if (cluster === undefined || cluster === '') return ofInstance(place, instance)
  const whole: Place = { ...place, kind: 'cluster', id: cluster }
  return ofCluster(whole, await describeCluster(whole), instance.Endpoint?.Address)
}

const copyOf = (kind: 'db' | 'cluster', source: string | undefined): Database['replicaOf'] => (source ? { kind, source } : undefined)
function isQueued(pending: object | undefined): boolean {
  const others = Object.entries(pending ?? {}).filter(([key]) => key !== 'MasterUserPassword')
  return others.some(([, value]) => value !== undefined && JSON.stringify(value) !== '[]')
}

/** Whether it is the same database, or says that it is a read replica of it. A bare name belongs to the replica's own region and account. */
export function isSameOrCopy(database: Database, other: Database): boolean {
  if (database.arn === undefined || other.arn === undefined) return false
  if (database.arn.toLowerCase() === other.arn.toLowerCase()) return true
  if (other.replicaOf === undefined) return false
  const { kind, source } = other.replicaOf
  const front = other.arn.split(':').slice(0, 5).join(':')
  const whole = source.startsWith('arn:') ? source : `${front}:${kind}:${source}`
  return whole.toLowerCase() === database.arn.toLowerCase()
}

const ofInstance = (place: Place, instance: DBInstance): Database => ({
  place,
  engine: instance.Engine ?? '',
  status: instance.DBInstanceStatus ?? '',
  hosts: hostsOf(instance.Endpoint?.Address),
  port: instance.Endpoint?.Port,
  masterUser: instance.MasterUsername ?? '',
  changing: instance.PendingModifiedValues?.MasterUserPassword !== undefined || instance.DBInstanceStatus === resetting,
  managedBy: instance.MasterUserSecret?.SecretArn,
  arn: instance.DBInstanceArn,
  queued: isQueued(instance.PendingModifiedValues),
  replicaOf:
    copyOf('db', instance.ReadReplicaSourceDBInstanceIdentifier) ?? copyOf('cluster', instance.ReadReplicaSourceDBClusterIdentifier),
})

const ofCluster = (place: Place, cluster: DBCluster, member?: string): Database => ({
  place,
  engine: cluster.Engine ?? '',
  status: cluster.Status ?? '',
  hosts: hostsOf(cluster.Endpoint, cluster.ReaderEndpoint, ...(cluster.CustomEndpoints ?? []), member),
  port: cluster.Port,
  masterUser: cluster.MasterUsername ?? '',
  changing: cluster.PendingModifiedValues?.MasterUserPassword !== undefined || cluster.Status === resetting,
  managedBy: cluster.MasterUserSecret?.SecretArn,
  arn: cluster.DBClusterArn,
  queued: isQueued(cluster.PendingModifiedValues),
  replicaOf: copyOf('cluster', cluster.ReplicationSourceIdentifier),
})

/** Checks before a password is changed: it is this database, at this host, with this master user, and nobody else rotates it. */
export function assertOurs(database: Database, { host, port, user }: DatabaseLogin): void {
  const { place, hosts } = database
  const name = `${place.kind} ${place.id}`
  const failField = (field: string, why: string, next: string): never => {
    throw new RotationError('bad_value', `The RDS ${name} ${why}.`, { field, next: `${next}; nothing was changed.` })
  }
  if (!hosts.includes(host.toLowerCase())) {
    const known = hosts.join(', ') || 'it has none yet'
    failField('host', `is not reached at ${host}`, `Put one of its own endpoints as host (${known})`)
  }
  if (database.port !== undefined && database.port !== port)
    failField('port', `listens on ${database.port}, not on ${port}`, `Put port ${database.port}`)
  if (!/^(aurora-)?postgres(ql)?$/.test(database.engine))
    failField('engine', `runs ${database.engine}`, 'This rotator logs in to PostgreSQL only')
  if (database.masterUser !== user)
    failField('username', `has the master user ${database.masterUser}, not ${user}`, 'Use the rotator postgres for any other login')
  if (database.replicaOf !== undefined)
    failField('host', `is a read replica of ${database.replicaOf.source}`, 'Name the source: its password is that of every replica')
  if (database.managedBy !== undefined)
    failField(
      'username',
      `keeps its master password in ${database.managedBy} and rotates it itself`,
      'Let RDS rotate it, or turn that off first',
    )
}
