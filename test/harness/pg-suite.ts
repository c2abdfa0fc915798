import { after, before, describe } from 'node:test'
import pg from 'pg'
import type { SecretState } from '../../shared/core/ports/store.js'
import { whole } from '../crash/sample.js'
import { asSuper } from './postgres-client.js'
import { binariesOf, type Major, majors, PostgresServer, removeCopies, type ServerOptions } from './postgres-server.js'
import { arrangeRoles, type PostgresWorld } from './postgres-world.js'

/** The newest in a plain run, all of them where the whole is wanted. */
export const wantedMajors: readonly Major[] = whole ? majors : [18]
/** Oldest and newest: for what the server's version should not matter to. */
export const edgeMajors: readonly Major[] = whole ? [14, 18] : [18]

export interface Suite {
  readonly major: Major
  /** Started once for all tests of the suite; only there while they run. */
  readonly server: PostgresServer
}

/** One server with the usual roles, shared by the tests, for each version that is wanted. */
export function onServers(
  title: string,
  tests: (suite: Suite) => void,
  options: (major: Major) => ServerOptions = () => ({}),
  versions: readonly Major[] = wantedMajors,
): void {
  for (const major of versions) {
    const skip = binariesOf(major) ? false : `PostgreSQL ${major} is not installed; test/setup.sh does it`
    describe(`${title} (PostgreSQL ${major})`, { skip }, () => {
      const suite: { major: Major; server: PostgresServer } = { major, server: undefined as unknown as PostgresServer }
      before(async () => {
        suite.server = await PostgresServer.start({ ...options(major), major })
        await arrangeRoles(suite.server)
      })
      after(async () => {
        await suite.server?.stop()
        await removeCopies()
      })
      tests(suite)
    })
  }
}

/** A role of this test alone, that the administrator may change on every version. */
export async function createRole(server: PostgresServer, name: string, password: string, options = ''): Promise<void> {
  const role = pg.escapeIdentifier(name)
  await asSuper(server, `create role ${role} login password ${pg.escapeLiteral(password)} ${options}`)
  const [{ version } = { version: 0 }] = await asSuper<{ version: number }>(
    server,
    "select current_setting('server_version_num')::int as version",
  )
  if (version >= 160_000) await asSuper(server, `grant ${role} to keyturn_admin with admin option, inherit false, set false`)
}

/** What consumers read, and what the secret says of itself: everything but the bookkeeping of a rotation. */
export function published({ current, previous, publishedAt, policy }: SecretState): unknown {
  return { current, previous, publishedAt, policy }
}

/** The value that waits for its publication. */
export async function pendingOf(world: PostgresWorld): Promise<Record<string, string> | undefined> {
  const { pending } = await world.store.describe(world.ref)
  return pending ? (JSON.parse((await world.store.read(world.ref, pending.id)).reveal()) as Record<string, string>) : undefined
}
