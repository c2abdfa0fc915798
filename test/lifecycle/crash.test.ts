import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crashPairs, emptyTally, readFaults, singleFaults } from '../crash/run.js'
import { fewer, least } from '../crash/sample.js'
import { memorySettings, realSettings } from '../crash/settings.js'

/** Single faults on the memory store are whole, but for what only a store without a condition does; of the rest a part drawn by seed (KEYTURN_SEED), which `npm run test:crash` does whole. */
describe('crash matrix: memory store × memory rotator', () => {
  for (const setting of memorySettings()) {
    it(`${setting.name}: every fault at every effect, every way to resume, a sample of the pairs of crashes`, async () => {
      const tally = emptyTally()
      await singleFaults(tally, setting, fewer, 4 * fewer)
      await crashPairs(tally, setting, 48 * fewer)
      assert.deepEqual(tally.traces, [])
      assert.ok(tally.points >= least(15), `${tally.points} points`)
    })
  }
})

describe('crash matrix: real stores × memory rotator', () => {
  for (const setting of realSettings()) {
    it(`${setting.name}: a sample of the faults at its effects`, async () => {
      const tally = emptyTally()
      const part = (setting.drawn ?? 1) * fewer
      await singleFaults(tally, setting, (setting.slow ? 20 : 5) * part, (setting.slow ? 40 : 5) * part)
      await readFaults(tally, setting, 400 * part)
      assert.deepEqual(tally.traces, [])
      assert.ok(tally.points >= (setting.drawn === undefined ? least(8) : 0), `${tally.points} points`)
    })
  }
})
