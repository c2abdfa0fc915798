// Runs every built test file and prints what was skipped and why. In CI a skip is a failure, because test/setup.sh has installed what tests need.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { globSync } from './files.mjs'

// Tests that run in part, or not at all (`only`), because they are slow or need what a newcomer does not have. CONTRIBUTING has the same list.
const wholeTests = JSON.parse(readFileSync(new URL('./whole.json', import.meta.url), 'utf8'))

// `--whole` runs only these tests, and all of them. Other words are parts of paths.
const whole = process.argv.includes('--whole')
if (whole) process.env.KEYTURN_WHOLE = '1'
const wanted = process.argv.slice(2).filter((word) => word !== '--whole')
// Where `--whole` follows, which runs these tests and more of them, they are left out here.
const follows = process.env.KEYTURN_WHOLE_FOLLOWS === '1'
const isWhole = (file, one) => file.endsWith(`test/${one.file}.test.js`)
const belongs = (file) =>
  whole ? wholeTests.some((one) => isWhole(file, one)) : !wholeTests.some((one) => (one.only || follows) && isWhole(file, one))
const named = (file) => wanted.length > 0 && wanted.some((part) => file.includes(part))
const files = globSync('dist/test', '.test.js').filter((file) => (wanted.length === 0 ? belongs(file) : named(file)))
const cache = mkdtempSync(join(tmpdir(), 'keyturn-test-')) // what several test files need and is slow to make
process.env.KEYTURN_TEST_CACHE = cache
// While this file is there, `npx keyturn` leaves dist/ as it is (scripts/build.mjs).
const running = `dist/.tests/${process.pid}`
mkdirSync('dist/.tests', { recursive: true })
writeFileSync(running, '')
process.on('exit', () => rmSync(running, { force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143))
const skips = []
let failures = 0
// More than there are processors: many tests wait for a server, a pod or a process.
const stream = run({ files, concurrency: 3 })
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
stream.on('test:fail', () => failures++)
const around = [] // the suites around the reported test, the outermost first
stream.on('test:start', ({ name, nesting }) => {
  around[nesting] = name
})
stream.on('test:pass', ({ name, nesting, skip, details }) => {
  if (skip === undefined) return
  skips.push({ name, suite: around[nesting - 1], why: skip === true ? 'no reason given' : skip, isSuite: details.type === 'suite' })
})
/** The counts that node:test prints at the end, such as `pass 2358`. */
const counts = { tests: 0, pass: 0, skipped: 0 }
stream.on('test:diagnostic', ({ nesting, message }) => {
  const [what, count] = message.split(' ')
  if (nesting === 0 && what in counts) counts[what] = Number(count)
})

/** Names a single test; counts several tests that one suite skips for one reason. */
function* skipLines() {
  const groups = new Map()
  for (const skip of skips) {
    const key = JSON.stringify([skip.suite ?? skip.name, skip.why])
    groups.set(key, [...(groups.get(key) ?? []), skip])
  }
  for (const group of groups.values()) {
    const [{ name, suite, why }] = group
    yield `skipped: ${group.length === 1 ? name : `${suite}, ${group.length} tests`}: ${why}`
  }
}
/** node:test does not count the tests of a suite that it skips itself: the suite counts as one. */
function lastLine() {
  const suites = skips.filter(({ isSuite }) => isSuite).length
  const [tests, skipped] = [counts.tests + suites, counts.skipped + suites]
  const lost = tests - counts.pass - skipped
  const more = failures > 0 && lost === 0 ? ', but a suite or a file failed' : '' // a hook that throws where every test is skipped
  return `${tests} ${tests === 1 ? 'test' : 'tests'}: ${counts.pass} passed, ${skipped} skipped, ${lost} failed${more}`
}

const report = stream.compose(spec)
report.on('end', () => {
  rmSync(cache, { recursive: true, force: true })
  for (const line of skipLines()) console.log(line)
  if (follows && !whole && wanted.length === 0) console.log(`left to npm run test:whole, which follows: ${wholeTests.length} files`)
  const mayBe = process.env.KEYTURN_MAY_SKIP // what cannot be installed on this machine
  const wrong = skips.filter(({ why }) => !mayBe || !why.includes(mayBe))
  const skipFails = process.env.CI === 'true' && wrong.length > 0
  if (skipFails) console.error('A skip is a failure in CI: test/setup.sh must install what the test needs.')
  console.log(lastLine())
  process.exitCode = failures > 0 || skipFails || files.length === 0 ? 1 : 0
})
report.pipe(process.stdout)
