// Runs every built test file, prints what was skipped and why, and in CI fails on a skip: there test/setup.sh has installed what tests need.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { globSync } from './files.mjs'

const wanted = process.argv.slice(2)
const files = globSync('dist/test', '.test.js').filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
const cache = mkdtempSync(join(tmpdir(), 'keyturn-test-')) // what several test files need and is slow to make
process.env.KEYTURN_TEST_CACHE = cache
const skips = []
let failed = 0
const stream = run({ files, concurrency: 2 })
/** A file that hangs is a failure, not a run without an end. (run's own timeout warns of listeners for each file.) */
const silentMsMax = 10 * 60_000
let heardAt = Date.now()
stream.on('data', () => {
  heardAt = Date.now()
})
setInterval(() => {
  if (Date.now() - heardAt < silentMsMax) return
  console.error('No test has ended for ten minutes: a file hangs.')
  process.exit(1)
}, 10_000).unref()
stream.on('test:fail', () => failed++)
stream.on('test:pass', (event) => {
  if (event.skip !== undefined) skips.push(`${event.name}: ${event.skip === true ? 'no reason given' : event.skip}`)
})
stream.on('end', () => {
  rmSync(cache, { recursive: true, force: true })
  for (const skip of skips) console.log(`skipped: ${skip}`)
  console.log(`skipped in all: ${skips.length}`)
  const mayBe = process.env.KEYTURN_MAY_SKIP // what cannot be installed on this machine
  const wrong = skips.filter((skip) => !mayBe || !skip.includes(mayBe))
  if (process.env.CI === 'true' && wrong.length > 0) {
    console.error('A skip is a failure in CI: test/setup.sh must install what the test needs.')
    failed++
  }
  process.exitCode = failed > 0 || files.length === 0 ? 1 : 0
})
stream.compose(spec).pipe(process.stdout)
