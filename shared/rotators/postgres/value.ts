import type { Policy } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Dialect } from '../sql/dialect.js'
import { type DatabaseLogin, parseLogin } from '../sql/login.js'

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
export type PostgresValue = DatabaseLogin

/** bad_value with the field, or bad_policy with keyturn-at for a bare password. */
export const parsePostgres = (value: SecretText, policy: Policy): PostgresValue => parseLogin(value, policy, dialect)
