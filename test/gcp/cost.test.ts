import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { live } from '../../bench/cost/month.js'
import { monthOf, ratesOf, tables } from '../../bench/cost/table.js'

const page = readFileSync('docs/cost.md', 'utf8')
const tableOf = (name: string): string | undefined => new RegExp(`<!-- ${name}: [^>]*-->\\n\\n([^]*?)\\n\\n<!-- end`).exec(page)?.[1]

it('docs/cost.md has the calls that the functions make', async () => {
  const days = 36
  const rates = ratesOf(await live('365d', days), await live('30d', days), days)
  const [each, all] = tables(rates)
  assert.equal(tableOf('rates'), each)
  assert.equal(tableOf('months'), all)
  // What a look costs does not grow with the secrets but for its pages, and the rest grows with them.
  const [ten, more] = [monthOf(10, rates), monthOf(100_000, rates)]
  assert.equal(ten['invocations of sweep'], more['invocations of sweep'])
  assert.equal((more.tasks ?? 0) / (ten.tasks ?? 1), 10_000)
})
