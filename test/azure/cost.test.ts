import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { azureCalls, liveOnAzure } from '../../bench/cost/azure-month.js'
import { measureRates } from '../../bench/cost/rates.js'
import { ratesOf, tables } from '../../bench/cost/table.js'
import { whole } from '../crash/sample.js'
import { azuriteSkip } from '../harness/azurite.js'
import { suite } from '../harness/suite.js'

const page = readFileSync('docs/cost-azure.md', 'utf8')
const tableOf = (name: string): string | undefined => new RegExp(`<!-- ${name}: [^>]*-->\\n\\n([^]*?)\\n\\n<!-- end`).exec(page)?.[1]
/** Each row without what a rotation costs, of those that have anything else. */
const quiet = (table = ''): readonly string[] =>
  table
    .split('\n')
    .map((line) => line.split(' | ').slice(0, 3).join(' | '))
    .filter((line) => /\d/.test(line))

suite('docs/cost-azure.md', azuriteSkip, ({ it }) => {
  it('has the calls that the functions make', async () => {
    if (whole) {
      const [each, all] = tables(await measureRates('azure'))
      assert.deepEqual([tableOf('rates'), tableOf('months')], [each, all])
      return
    }
    const idle = await liveOnAzure('365d', 8)
    const [each] = tables(ratesOf(azureCalls, idle, idle, 8))
    assert.deepEqual(quiet(tableOf('rates')), quiet(each))
  })
})
