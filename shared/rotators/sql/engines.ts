/**
 * Other systems by the schemes of their connection URLs, for messages. Only a name from this table is ever said: in a value that nobody could read, what
 * stands before :// may be a piece of a password.
 */
const systems: Readonly<Record<string, string>> = {
  postgres: 'PostgreSQL',
  postgresql: 'PostgreSQL',
  mysql: 'MySQL',
  mysqlx: 'MySQL',
  mariadb: 'MariaDB',
  sqlserver: 'SQL Server',
  mssql: 'SQL Server',
  oracle: 'Oracle',
  db2: 'Db2',
  redshift: 'Redshift',
  cockroachdb: 'CockroachDB',
  clickhouse: 'ClickHouse',
  cassandra: 'Cassandra',
  mongodb: 'MongoDB',
  'mongodb+srv': 'MongoDB',
  redis: 'Redis',
  rediss: 'Redis',
  amqp: 'RabbitMQ',
  amqps: 'RabbitMQ',
  http: 'a web server',
  https: 'a web server',
}

/** The system that a connection URL is for, in the words of people; undefined where its scheme is not known, or where it is not a URL. */
export function systemOf(text: string): string | undefined {
  const scheme = /^\s*(?:jdbc:)?([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? ''
  return Object.hasOwn(systems, scheme) ? systems[scheme] : undefined
}
