import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { twins } from '../crash/after-run.js'
import { plots } from '../crash/after-stories.js'
import { memorySettings } from '../crash/settings.js'

/** Why the pairs of crashes try one of the two. */
describe('a crash after an effect, and one before the next effect of the same invocation', () => {
  for (const setting of memorySettings().filter(({ rotator, refuseFirst }) => rotator === 'b' && !refuseFirst)) {
    it(`leave the same behind: ${setting.name}`, async () => {
      let count = 0
      for (const plot of plots)
        for (const [after, before] of await twins(setting, plot, 'skips and away')) {
          assert.equal(after, before, plot.name)
          count++
        }
      assert.ok(count > 20, `${count} pairs`)
    })
  }
})
