import { verifierOf } from './cli-canary.js'
import { asSuper } from './postgres-client.js'
import { PostgresServer, type ServerOptions } from './postgres-server.js'
import { adminPassword, arrangeRoles, firstPassword } from './postgres-world.js'

export { adminPassword, firstPassword }

/** A server with the usual roles: app alone, app_a and app_b acting as one, and an administrator. */
export async function startServer(options: ServerOptions = {}): Promise<PostgresServer> {
  const server = await PostgresServer.start(options)
  await arrangeRoles(server)
  return server
}

/** A secret's value, as a person would write it into a file. */
export const valueFor = (server: { readonly port: number }, username: string, password: string, rest: object = {}): string =>
  JSON.stringify({
    engine: 'postgres',
    host: '127.0.0.1',
    port: server.port,
    username,
    password,
    dbname: 'postgres',
    sslmode: 'disable',
    ...rest,
  })

/** By hand, past Keyturn; only a verifier travels. */
export const setPassword = (server: PostgresServer, role: string, password: string): Promise<unknown> =>
  asSuper(server, `alter role ${role} password '${verifierOf(password)}'`)

/** One more role that may change its own password, for a secret of its own. */
export async function makeRole(server: PostgresServer, role: string, password: string): Promise<void> {
  await asSuper(server, `create role ${role} login password '${verifierOf(password)}'`)
  await asSuper(server, `grant ${role} to keyturn_admin with admin option, inherit false, set false`)
}
