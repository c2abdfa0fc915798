import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crashPairs, emptyTally, readFaults, singleFaults } from '../crash/run.js'
import { fewer, least } from '../crash/sample.js'
import { byAnswerSettings } from '../crash/settings.js'

describe('crash matrix where no password can be tried: a value is proven by the answer to setting it', () => {
  for (const setting of byAnswerSettings()) {
    it(setting.name, async () => {
      const tally = emptyTally()
      const part = (setting.drawn ?? 1) * fewer
      const every = (setting.slow ? 20 : setting.memory ? 2 : 5) * part
      await singleFaults(tally, setting, every, 2 * every)
      if (setting.memory) await crashPairs(tally, setting, 8 * fewer)
      else await readFaults(tally, setting, 320 * part, 640 * part)
      assert.deepEqual(tally.traces, [])
      assert.ok(tally.points >= (setting.drawn === undefined ? least(10) : 0), `${tally.points} points`)
    })
  }
})
