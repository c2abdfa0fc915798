import { parseArgs } from 'node:util'
import { crashPairs, emptyTally, singleFaults } from '../test/crash/run.js'
import { fileSettings, memorySettings } from '../test/crash/settings.js'

/** The crash matrix by itself: `npm run test:crash -- --json` ends with one line, one object; exit 1 when a promise was broken. */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const tally = emptyTally()
for (const setting of memorySettings()) {
  const before = tally.points
  await singleFaults(tally, setting)
  await crashPairs(tally, setting)
  console.log(`${setting.name.padEnd(12)} ${String(tally.points - before).padStart(6)} points`)
}
for (const setting of fileSettings()) {
  const before = tally.points
  await singleFaults(tally, setting)
  console.log(`${setting.name.padEnd(12)} ${String(tally.points - before).padStart(6)} points`)
}
for (const trace of tally.traces.slice(0, 50)) console.log(trace)
const { lockouts, lost, untestedVisible, other } = tally.broken
const result = {
  points: tally.points,
  lockouts: lockouts.length,
  lost: lost.length,
  untestedVisible: untestedVisible.length,
  other: other.length,
}
console.log(
  values.json
    ? JSON.stringify(result)
    : Object.entries(result)
        .map(([key, count]) => `${key} ${count}`)
        .join(' · '),
)
process.exitCode = tally.traces.length > 0 ? 1 : 0
