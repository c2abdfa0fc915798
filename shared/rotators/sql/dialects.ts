import type { Dialect } from './dialect.js'

/** How PostgreSQL writes its logins. */
export const postgresDialect: Dialect = {
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

/** How MySQL writes its logins. */
export const mysqlDialect: Dialect = {
  title: 'MySQL',
  schemes: ['mysql', 'mariadb'],
  port: 3306,
  database: 'mysql',
  names: { bytesMax: 96, longer: 'MySQL takes no name with more than 32 characters' }, // of three bytes each at most
  tls: {
    field: 'ssl-mode',
    modes: ['DISABLED', 'PREFERRED', 'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'],
    off: 'DISABLED',
    ca: ['ca', 'ssl-ca'],
  },
  // As Connector/J, mysql2, PyMySQL and go-sql-driver read them.
  elsewhere: {
    login: ['host', 'hostname', 'port', 'user', 'username', 'password', 'passwd', 'read_default_file', 'defaults_file'],
    database: ['dbname', 'database', 'db'],
  },
}
