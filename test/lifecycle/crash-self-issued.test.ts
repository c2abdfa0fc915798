import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fewer, least } from '../crash/sample.js'
import { type SelfIssuedTally, selfIssuedFaults, tales } from '../crash/self-issued.js'

/** One point of 24 by seed (KEYTURN_SEED); `npm run test:crash` does them whole. */
describe('crash matrix: what is self-issued, with companions in another store, lists, a keyring and parts', () => {
  for (const tale of tales) {
    it(tale.name, async () => {
      const tally: SelfIssuedTally = { points: 0, broken: [] }
      await selfIssuedFaults(tally, tale, 24 * fewer)
      assert.deepEqual(tally.broken, [])
      assert.ok(tally.points >= least(1), `${tally.points} points`)
    })
  }
})
