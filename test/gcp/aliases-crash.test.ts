import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { emptyTally, readFaults, singleFaults } from '../crash/run.js'
import { memoryClasses, settingOf } from '../crash/settings.js'
import { AliasStore } from '../harness/gcp-aliases.js'
import { watchedGcp } from '../harness/gcp-watched.js'

describe('crash matrix: Google Secret Manager, where consumers read by the alias alone', () => {
  for (const rotator of memoryClasses) {
    it(`${rotator}: a sample of the faults at its calls`, async () => {
      const setting = settingOf(watchedGcp(AliasStore, 'gcp store by alias'), rotator)
      const tally = emptyTally()
      await singleFaults(tally, setting, 40)
      await readFaults(tally, setting, 600)
      assert.deepEqual(tally.traces, [])
      assert.ok(tally.points >= 8, `${tally.points} points`)
    })
  }
})
