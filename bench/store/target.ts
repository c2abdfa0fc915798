import { Authority } from '../../test/harness/pg-certificates.js'
import { binariesOf, PostgresServer, removeCopies } from '../../test/harness/postgres-server.js'
import { arrangeRoles } from '../../test/harness/postgres-world.js'
import type { Target } from './rotations.js'

/** The target of a measurement: a real PostgreSQL over verified TLS where there is one, else one in memory. */
export async function withTarget<T>(
  act: (target: Target | undefined) => Promise<T>,
): Promise<{ readonly target: string; readonly found: T }> {
  if (binariesOf(18) === undefined) return { target: 'memory', found: await act(undefined) }
  const authority = new Authority()
  const server = await PostgresServer.start({ tls: authority.issue(['IP:127.0.0.1']) })
  try {
    await arrangeRoles(server)
    return { target: 'postgres', found: await act({ server, ca: authority.ca }) }
  } finally {
    await server.stop()
    await removeCopies()
  }
}
