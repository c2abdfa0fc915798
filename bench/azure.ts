import { parseArgs } from 'node:util'
import { most } from './azure/limits.js'
import { AzureBench } from './azure/world.js'
import { measureRotations, overMost } from './store/rotations.js'
import { withTarget } from './store/target.js'

/**
 * `npm run bench:azure -- --json`: a rotation over the double of Key Vault and Azurite, with a real PostgreSQL behind it where there is one, beside
 * the same calls made bare by the vendor's clients; calls by kind. Exits with 1 where a strategy makes more of them than it may; nothing asserts on
 * time.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const { target, found: rotations } = await withTarget((target) => measureRotations(AzureBench.open, target))
const over = rotations.flatMap(overMost(most))
if (values.json) console.log(JSON.stringify({ target, rotations, over }))
else {
  console.table(Object.fromEntries(rotations.map(({ strategy, byName: _, ...rest }) => [strategy, rest])))
  console.table(Object.fromEntries(rotations.map(({ strategy, byName }) => [strategy, byName])))
  for (const line of over) console.error(line)
}
if (over.length > 0) process.exitCode = 1
