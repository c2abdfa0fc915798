import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { measureRates } from '../../bench/cost/rates.js'
import { monthOf, tables } from '../../bench/cost/table.js'

const page = readFileSync('docs/cost.md', 'utf8')
const tableOf = (name: string): string | undefined => new RegExp(`<!-- ${name}: [^>]*-->\\n\\n([^]*?)\\n\\n<!-- end`).exec(page)?.[1]

it('docs/cost.md has the calls that the functions make', async () => {
  const rates = await measureRates('gcp')
  const [each, all] = tables(rates)
  assert.equal(tableOf('rates'), each)
  assert.equal(tableOf('months'), all)
  // What a look costs does not grow with the secrets but for its pages, and the rest grows with them.
  const [ten, more] = [monthOf(10, rates), monthOf(100_000, rates)]
  assert.equal(ten['invocations of sweep'], more['invocations of sweep'])
  assert.equal((more.tasks ?? 0) / (ten.tasks ?? 1), 10_000)
})
