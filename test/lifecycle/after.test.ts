import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { afterFaults, afterPairs, emptyAfterTally } from '../crash/after-run.js'
import { fileSetting, memoryClasses, memorySetting, profileNames } from '../crash/settings.js'

/** A sample of what `npm run test:crash` does whole: a part drawn by seed (KEYTURN_SEED). */
describe('after a publication: announce, retire, recover, rollback and sweep under faults', { concurrency: 2 }, () => {
  for (const profile of profileNames) {
    it(`${profile}: no event is lost, nothing is retired in use, nobody is locked out`, async () => {
      const tally = emptyAfterTally()
      for (const rotator of memoryClasses) {
        await afterFaults(tally, memorySetting(profile, rotator), 29)
        await afterPairs(tally, memorySetting(profile, rotator), 211)
      }
      assert.deepEqual(tally.traces, [])
      assert.ok(tally.points > (profile === 'aws' ? 50 : 300), `${tally.points} points`)
    })
  }

  it('the real file store', async () => {
    const tally = emptyAfterTally()
    await afterFaults(tally, fileSetting('b'), 41)
    assert.deepEqual(tally.traces, [])
  })
})
