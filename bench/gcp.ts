import { parseArgs } from 'node:util'
import { measureBundles } from './gcp/bundle.js'
import { most } from './gcp/limits.js'
import { GcpBench } from './gcp/world.js'
import { measureRotations, overMost } from './store/rotations.js'
import { withTarget } from './store/target.js'

/**
 * `npm run bench:gcp -- --json`: a rotation over the double of Secret Manager, with a real PostgreSQL behind it where there is one, beside the same calls
 * made bare by the vendor's client; and what that client costs in a bundle. Exits with 1 where a strategy makes more calls than it may; nothing asserts on time.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })

const { target, found: rotations } = await withTarget((target) => measureRotations(GcpBench.open, target))
const bundles = await measureBundles()
const over = rotations.flatMap(overMost(most))
if (values.json) console.log(JSON.stringify({ target, rotations, bundles, over }))
else {
  console.table(Object.fromEntries(rotations.map(({ strategy, byName: _, ...rest }) => [strategy, rest])))
  console.table(Object.fromEntries(rotations.map(({ strategy, byName }) => [strategy, byName])))
  console.table(bundles)
  for (const line of over) console.error(line)
}
if (over.length > 0) process.exitCode = 1
