import { parseArgs } from 'node:util'
import { type Cloud, clouds, measureRates } from './cost/rates.js'
import { fleets, monthOf, tables } from './cost/table.js'

/**
 * `npm run bench:cost -- --json`: which calls a month of 10, 1,000 and 100,000 secrets makes, on Google Cloud or with `--cloud azure` on Azure, from the functions' own calls on the doubles. Without
 * `--json` it prints the tables of docs/cost.md or docs/cost-azure.md.
 */
const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, cloud: { type: 'string', default: 'gcp' } },
})
const isCloud = (text: string): text is Cloud => Object.hasOwn(clouds, text)
if (!isCloud(values.cloud)) throw new Error(`--cloud must be one of ${Object.keys(clouds).join(', ')}`)
const rates = await measureRates(values.cloud)
const months = Object.fromEntries(fleets.map((secrets) => [secrets, monthOf(secrets, rates)]))
if (values.json) console.log(JSON.stringify({ cloud: values.cloud, ...rates, calls: undefined, months }))
else console.log(tables(rates).join('\n\n'))
