import { parseArgs } from 'node:util'
import { Stage } from './quickstart/stage.js'
import { playThrough } from './quickstart/story.js'

/** `npm run quickstart`: a real server, a real store, real crashes; everything is gone afterwards. `-- --json` ends with one object on one line. */
const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const stage = new Stage(values.json ? () => {} : (text) => console.log(text))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stage.close().then(() => process.exit(130)))
try {
  const result = await playThrough(stage)
  await stage.close()
  const { rotations, retired, clientLogins, clientLoginFailures, seconds } = result
  const good = clientLoginFailures === 0 && result.recovered && retired >= 4 && result.rolledBackRetired
  const work = `${rotations} rotations, ${retired} outgoing logins retired on evidence`
  const logins = `${clientLogins} client logins, ${clientLoginFailures} failed`
  console.log(values.json ? JSON.stringify(result) : `\n${work}, ${logins}, ${seconds} s. Nothing is left behind.`)
  process.exitCode = good ? 0 : 1
} catch (cause) {
  await stage.close()
  throw cause
}
