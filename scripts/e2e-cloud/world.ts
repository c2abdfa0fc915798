import type { PostgresServer } from '../../test/harness/postgres-server.js'

export const minuteMs = 60_000
export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

/** The secrets of these stories. */
export const secretIds = ['db', 'api-key', 'signing', 'pods'] as const
export type SecretId = (typeof secretIds)[number]
export const firstKey = 'the-first-api-key-0123456789abcdef'

/** A deployed fleet on one cloud, as those see it who live with its secrets. Time is what it says. */
export interface CloudWorld {
  now(): number
  /** What a reader of the newest version, of an alias, or of the version that is named, gets. Throws what the service refuses. */
  read(id: string, version?: string): string
  /** By which names a secret can be read beside the newest version. */
  aliasesOf(id: SecretId): readonly string[]
  /** When the version after the first one was published, in the time of the world. */
  publishedAt(id: SecretId): number | undefined
  /** Whatever looks over the fleet by a schedule does so. */
  look(): Promise<void>
  /** What waits for the functions is delivered. */
  turn(): Promise<unknown>
  /** Where the public set is served. */
  readonly setUrl: string
  /** What the function that does the work has written. */
  readonly workLog: string
}

/** Pods of a cluster that read a secret of the project. */
export interface Pods {
  /** What the secret `pods` holds first. */
  readonly first: string
  /** The access token of the functions' account. */
  readonly accessToken: string
  /** How the functions reach the cluster. */
  readonly access: object
  /** The consumer of the secret, but for its cluster. */
  readonly consumer: object
}

/** The value of a secret of PostgreSQL. */
export const loginAt = (server: PostgresServer, username: string, password: string): string =>
  JSON.stringify({ engine: 'postgres', host: '127.0.0.1', port: server.port, username, password, dbname: 'postgres', sslmode: 'disable' })

/** The password, the key, or the private halves of a value. */
export function secretsIn(text: string): readonly (readonly [string, string])[] {
  if (!text.startsWith('{')) return [['key', text]]
  const { password, current, next } = JSON.parse(text) as {
    password?: string
    current?: { private?: { d?: string } }
    next?: { private?: { d?: string } }
  }
  const found = [
    ['password', password],
    ['current', current?.private?.d],
    ['next', next?.private?.d],
  ] as const
  return found.flatMap(([name, secret]) => (secret === undefined ? [] : [[name, secret] as const]))
}
