import { afterFaults, emptyAfterTally } from './crash/after-run.js'
import { settingFor } from './crash/settings.js'

for (const r of (process.argv[2] ?? 'b').split('')) {
  const t0 = Date.now()
  const tally = emptyAfterTally()
  await afterFaults(tally, settingFor('gcp store', r as 'b'), Number(process.argv[3] ?? 41))
  console.log(r, tally.points, 'points', Date.now() - t0, 'ms', tally.traces.length, tally.traces.slice(0, 12))
}
process.exit()
