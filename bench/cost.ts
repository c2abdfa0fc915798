import { parseArgs } from 'node:util'
import { measureRates } from './cost/rates.js'
import { fleets, monthOf, tables } from './cost/table.js'

/**
 * `npm run bench:cost -- --json`: which calls a month of 10, 1,000 and 100,000 secrets of Google Cloud makes, from the functions' own calls on the doubles. Without
 * `--json` it prints the tables of docs/cost.md.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const rates = await measureRates()
const months = Object.fromEntries(fleets.map((secrets) => [secrets, monthOf(secrets, rates)]))
if (values.json) console.log(JSON.stringify({ ...rates, months }))
else console.log(tables(rates).join('\n\n'))
