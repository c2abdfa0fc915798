import { parseArgs } from 'node:util'
import { isExact, type Measured, measureFleet } from './fleet/measure.js'

/**
 * `npm run bench:fleet -- --json`: the function `sweep`, in a process of its own, looks at a fleet in the double of Secret Manager (100,000 secrets;
 * `--secrets` names another number) and sends what is due to the double of Cloud Tasks. Beside it, in the same run, a fleet of a tenth, also by two looks at
 * once, and the same fleet whose staging places are far from their secrets in the list. Exits with 1 where a look does not find exactly what is due; nothing
 * asserts on time.
 */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, secrets: { type: 'string', default: '100000' } } })
const secrets = Number(values.secrets)
if (!Number.isInteger(secrets) || secrets < 1000) throw new Error('--secrets needs a whole number of at least 1000.')

const ratio = (one: number, other: number): number => Number((one / other).toFixed(2))
const tenth = await measureFleet({ secrets: Math.round(secrets / 10), layout: 'beside', twice: true })
const beside = await measureFleet({ secrets, layout: 'beside' })
const later = await measureFleet({ secrets, layout: 'later' })

const mostOf = ({ heapMb: { atTenth, atHalf, atEnd } }: Measured): number => Math.max(atTenth, atHalf, atEnd)
/** What ten times the secrets cost, and what it costs that their places are far away. */
const compared = (one: Measured, other: Measured) => ({
  heap: ratio(mostOf(one), mostOf(other)),
  rss: ratio(one.rssMbMax, other.rssMbMax),
  pages: ratio(one.pages, other.pages),
  tasks: ratio(one.tasks.sent, other.tasks.sent),
  cpuPerSecret: ratio(one.cpuMs / one.secrets, other.cpuMs / other.secrets),
})
const ratios = { tenfold: compared(beside, tenth), later: compared(later, beside) }
const wrong = [tenth, beside, later].flatMap(({ secrets: count, layout, tasks, twoAtOnce }) =>
  [tasks, twoAtOnce ?? tasks].filter((one) => !isExact(one)).map(() => `${count} ${layout}`),
)
if (values.json) console.log(JSON.stringify({ tenth, beside, later, ratios, wrong }))
else {
  for (const one of [tenth, beside, later]) console.log(one)
  console.table(ratios)
  for (const one of wrong) console.error(`A look did not find exactly what is due: ${one}`)
}
if (wrong.length > 0) process.exitCode = 1
