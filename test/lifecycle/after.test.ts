import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { afterFaults, afterPairs, emptyAfterTally } from '../crash/after-run.js'
import { fewer, least } from '../crash/sample.js'
import { memoryClasses, settingOf, watchedStores } from '../crash/settings.js'

/** A sample of what `npm run test:crash` does whole: a part drawn by seed (KEYTURN_SEED). */
describe('after a publication: announce, retire, recover, rollback and sweep under faults', { concurrency: 2 }, () => {
  for (const watched of watchedStores.filter(({ memory }) => memory)) {
    it(`${watched.name}: no event is lost, nothing is retired in use, nobody is locked out`, async () => {
      const tally = emptyAfterTally()
      for (const rotator of memoryClasses) {
        await afterFaults(tally, settingOf(watched, rotator), 59 * fewer)
        await afterPairs(tally, settingOf(watched, rotator), 421 * fewer)
      }
      assert.deepEqual(tally.traces, [])
      assert.ok(tally.points >= least(watched.serviceDriven ? 25 : 100), `${tally.points} points`)
    })
  }

  // Of what goes through a server in another process, npm run test:crash has these: to find the points of the stories takes longest there.
  for (const watched of watchedStores.filter(({ memory, drawn }) => !memory && drawn === undefined)) {
    it(`${watched.name}: the same`, async () => {
      const tally = emptyAfterTally()
      await afterFaults(tally, settingOf(watched, 'b'), (watched.slow ? 601 : 41) * fewer)
      assert.deepEqual(tally.traces, [])
    })
  }
})
