import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crashPairs, emptyTally, singleFaults } from '../crash/run.js'
import { fileSettings, memorySettings } from '../crash/settings.js'

describe('crash matrix: memory store × memory rotator', () => {
  for (const setting of memorySettings()) {
    it(`${setting.name}: every fault at every effect, every way to resume, every pair of crashes`, async () => {
      const tally = emptyTally()
      await singleFaults(tally, setting)
      await crashPairs(tally, setting)
      assert.deepEqual(tally.traces, [])
      assert.ok(tally.points >= 40, `${tally.points} points`)
    })
  }
})

describe('crash matrix: file store × memory rotator', () => {
  for (const setting of fileSettings()) {
    it(`${setting.name}: every fault at every effect, every way to resume`, async () => {
      const tally = emptyTally()
      await singleFaults(tally, setting)
      assert.deepEqual(tally.traces, [])
      assert.ok(tally.points >= 40, `${tally.points} points`)
    })
  }
})
