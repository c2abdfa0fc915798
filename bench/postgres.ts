import { parseArgs } from 'node:util'
import { PostgresServer, removeCopies } from '../test/harness/postgres-server.js'
import { arrangeRoles } from '../test/harness/postgres-world.js'
import { type Compared, compareStrategies } from './postgres/rotations.js'
import { sweepCost } from './postgres/sweep.js'

/**
 * `npm run bench:postgres -- --json`: a rotation against the bare floor (the same logins and the same statement with the driver alone), side by
 * side in one run, as ratios; and what a sweep over 10,000 secrets costs. Nothing asserts on it.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const server = await PostgresServer.start()
try {
  await arrangeRoles(server)
  const strategies = await compareStrategies(server)
  const sweep = await sweepCost()
  if (!values.json) {
    console.table(Object.fromEntries(strategies.map(({ strategy, ...rest }: Compared) => [strategy, rest])))
    console.table(sweep)
  } else console.log(JSON.stringify({ strategies, sweep }))
} finally {
  await server.stop()
  await removeCopies()
}
