import { parseArgs } from 'node:util'
import { Authority } from '../test/harness/pg-certificates.js'
import { binariesOf, PostgresServer, removeCopies } from '../test/harness/postgres-server.js'
import { arrangeRoles } from '../test/harness/postgres-world.js'
import { measureBundles } from './gcp/bundle.js'
import { type Measured, measureRotations, overLimits } from './gcp/rotations.js'

/**
 * `npm run bench:gcp -- --json`: a rotation over the double of Secret Manager, with a real PostgreSQL behind it where there is one, beside the same calls
 * made bare by the vendor's client; and what that client costs in a bundle. Exits with 1 where a strategy makes more calls than it may; nothing asserts on time.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })

async function overPostgres(): Promise<readonly Measured[]> {
  const authority = new Authority()
  const server = await PostgresServer.start({ tls: authority.issue(['IP:127.0.0.1']) })
  try {
    await arrangeRoles(server)
    return await measureRotations({ server, ca: authority.ca })
  } finally {
    await server.stop()
    await removeCopies()
  }
}

const target = binariesOf(18) === undefined ? 'memory' : 'postgres'
const rotations = target === 'postgres' ? await overPostgres() : await measureRotations(undefined)
const bundles = await measureBundles()
const over = rotations.flatMap(overLimits)
if (values.json) console.log(JSON.stringify({ target, rotations, bundles, over }))
else {
  console.table(Object.fromEntries(rotations.map(({ strategy, byName: _, ...rest }) => [strategy, rest])))
  console.table(Object.fromEntries(rotations.map(({ strategy, byName }) => [strategy, byName])))
  console.table(bundles)
  for (const line of over) console.error(line)
}
if (over.length > 0) process.exitCode = 1
