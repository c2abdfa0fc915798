import type { Policy } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Dialect } from '../sql/dialect.js'
import { type DatabaseLogin, parseLogin } from '../sql/login.js'
import { type Place, serverIn } from '../sql/places.js'

/** How PostgreSQL writes its logins. */
export const dialect: Dialect = {
  title: 'PostgreSQL',
  schemes: ['postgres', 'postgresql'],
  port: 5432,
  database: 'postgres',
  // NAMEDATALEN - 1: the server cuts longer names with a mere NOTICE.
  names: { bytesMax: 63, longer: 'PostgreSQL cuts names after 63 and would mean another role' },
  tls: {
    field: 'sslmode',
    modes: ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'],
    off: 'disable',
    ca: ['ca', 'sslrootcert'],
  },
  // As libpq, pgx, asyncpg, node-postgres and pgJDBC read them.
  elsewhere: {
    login: [
      ...['host', 'hostaddr', 'hostname', 'pghost', 'port', 'pgport', 'user', 'username', 'pguser', 'password', 'pgpassword'],
      ...['passfile', 'service', 'servicefile'],
    ],
    database: ['dbname', 'database', 'db', 'pgdbname', 'pgdatabase'],
  },
}

/** What the rotator reads from a value: one login, and how its server is reached. */
export interface PostgresValue extends DatabaseLogin {
  /** The place that the value itself names, if the policy names another one as the server: consumers log in there. */
  readonly consumersAt?: Place
}

/** Host and port are those of the server, also where the value names a pooler. bad_value with the field, or bad_policy with keyturn-at for a bare password. */
export function parsePostgres(value: SecretText, policy: Policy): PostgresValue {
  const login = parseLogin(value, policy, dialect)
  const server = serverIn(policy, dialect.port)
  if (server === undefined) return login
  const { host, port } = login
  return { ...login, ...server, consumersAt: { host, port } }
}
