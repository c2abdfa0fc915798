import { RotationError } from '../core/errors.js'
import { nearest } from '../core/policy/words.js'
import type { DeployedMore } from '../core/ports/deployment.js'
import type { Hosts } from '../core/ports/hosts.js'
import type { AnyRotator } from '../core/ports/rotator.js'
import type { Policy } from '../core/ports/words.js'

/** The kinds that scripts/functions.mjs put into a bundle, separated by commas; defined nowhere else. */
declare const KEYTURN_BUNDLED_ROTATORS: string

/** What is known about a rotator before it is loaded. Inference, errors, the bundler and the pages read it. */
export type RotatorRow = {
  /** Imports its entry file, which has the name of the row, when a secret needs it. */
  load(): Promise<AnyRotator>
  /** The values of the field `engine`, or of a URL's scheme, that mean this rotator, in lower case. */
  readonly engines: readonly string[]
  /** It carries the SDK of this cloud, which no bundle of another one may have. */
  readonly cloud?: 'aws' | 'azure' | 'gcp'
  /** What its platform knows about hosts of databases. Every rotator of a database uses it. */
  readonly hosts?: Hosts
  /** What it adds to a deployment on its cloud. bad_policy. */
  readonly deploys?: (policy: Policy) => Promise<DeployedMore>
} & (
  | {
      /** Its page in docs/, without the ending. */
      readonly page: string
      readonly trial?: never
    }
  | {
      /** A target in memory, for trials and tests. It works where a policy names it, and nothing offers it. */
      readonly trial: true
      readonly page?: never
    }
)

/** One row for each rotator. There is no other list of them. */
const rows = {
  postgres: {
    load: () => import('./postgres.js').then(({ create }) => create()),
    engines: ['postgres', 'postgresql', 'aurora-postgresql'],
    page: 'postgresql',
  },
  rds: {
    load: () => import('./rds.js').then(({ create }) => create()),
    engines: ['rds'],
    page: 'aws',
    cloud: 'aws',
    hosts: { stores: ['aws'], resolve: async (...asked) => (await import('./rds/admin.js')).resolveAdmin(...asked) },
  },
  'cloud-sql': {
    load: () => import('./cloud-sql.js').then(({ create }) => create()),
    engines: ['cloud-sql'],
    page: 'cloud-sql',
    cloud: 'gcp',
    deploys: async (policy) => (await import('./cloud-sql/deploys.js')).deploys(policy),
  },
  'azure-flexible-server': {
    load: () => import('./azure-flexible-server.js').then(({ create }) => create()),
    engines: ['azure-flexible-server'],
    page: 'azure-flexible-server',
    cloud: 'azure',
    deploys: async (policy) => (await import('./azure-flexible-server/deploys.js')).deploys(policy),
  },
  random: { load: () => import('./random.js').then(({ create }) => create()), engines: ['random'], page: 'random' },
  'secret-list': { load: () => import('./secret-list.js').then(({ create }) => create()), engines: ['secret-list'], page: 'secret-list' },
  keyring: { load: () => import('./keyring.js').then(({ create }) => create()), engines: ['keyring'], page: 'keyring' },
  jwt: { load: () => import('./jwt.js').then(({ create }) => create()), engines: ['jwt'], page: 'jwt' },
  'memory-a': { load: () => import('./memory.js').then(({ create }) => create('A')), engines: ['memory-a'], trial: true },
  'memory-b': { load: () => import('./memory.js').then(({ create }) => create('B')), engines: ['memory-b'], trial: true },
  'memory-c': { load: () => import('./memory.js').then(({ create }) => create('C')), engines: ['memory-c'], trial: true },
  'memory-f': { load: () => import('./memory.js').then(({ create }) => create('F')), engines: ['memory-f'], trial: true },
} satisfies Record<string, RotatorRow>

/** Every rotator that has a row; a bundle may hold fewer (`rotatorKinds`). */
export type RotatorKind = keyof typeof rows
export const rotators: Readonly<Record<RotatorKind, RotatorRow>> = rows
const bundled = typeof KEYTURN_BUNDLED_ROTATORS === 'undefined' ? Object.keys(rows) : KEYTURN_BUNDLED_ROTATORS.split(',')
/** Of a bundle those that are in it, else all. */
export const rotatorKinds = (Object.keys(rows) as RotatorKind[]).filter((kind) => bundled.includes(kind))
/** What help, errors and pages name. */
export const offeredKinds = rotatorKinds.filter((kind) => !rotators[kind].trial)

/** The platform that knows administrators whose secrets are in this store; undefined where none is in this bundle. */
export const hostsFor = (store: string): Hosts | undefined =>
  rotatorKinds.map((kind) => rotators[kind].hosts).find((hosts) => hosts?.stores.includes(store))

/** What the rotator that a policy names adds to a deployment; undefined where it adds nothing, or the policy names none. bad_policy. */
export async function deployedMore(policy: Policy): Promise<DeployedMore | undefined> {
  const kind = policy['keyturn-rotator'] ?? ''
  return isKind(kind) ? rotators[kind].deploys?.(policy) : undefined
}

const isKind = (kind: string): kind is RotatorKind => rotatorKinds.some((known) => known === kind)

/** bad_policy for a name that nobody registered. */
export async function loadRotator(kind: string): Promise<AnyRotator> {
  if (isKind(kind)) return rotators[kind].load()
  throw new RotationError('bad_policy', `There is no rotator "${kind}".`, {
    field: 'keyturn-rotator',
    next: `The nearest known one is ${nearest(kind, offeredKinds)}; known are ${offeredKinds.join(', ')}.`,
  })
}
