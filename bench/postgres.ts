import { parseArgs } from 'node:util'
import { Authority } from '../test/harness/pg-certificates.js'
import { PostgresServer, removeCopies } from '../test/harness/postgres-server.js'
import { arrangeRoles } from '../test/harness/postgres-world.js'
import { type Compared, compareStrategies } from './postgres/rotations.js'
import { sweepCost } from './postgres/sweep.js'

/**
 * `npm run bench:postgres -- --json`: a rotation against the bare floor (the same logins and the same statement with the driver alone, over verified TLS), side by
 * side in one run, as ratios; and what a sweep over 10,000 secrets costs. Nothing asserts on it.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const authority = new Authority()
const server = await PostgresServer.start({ tls: authority.issue(['IP:127.0.0.1']) })
try {
  await arrangeRoles(server)
  const strategies = await compareStrategies(server, authority.ca)
  const sweep = await sweepCost()
  if (!values.json) {
    console.table(Object.fromEntries(strategies.map(({ strategy, ...rest }: Compared) => [strategy, rest])))
    console.table(sweep)
  } else console.log(JSON.stringify({ strategies, sweep }))
} finally {
  await server.stop()
  await removeCopies()
}
