// Runs every built test file and prints what was skipped and why. In CI a skip is a failure, because test/setup.sh has installed what tests need.
import { createHash } from 'node:crypto'
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
// A sixth of the points that the tests of the crash matrix would draw: `npm run test:crash` has them whole, and a newcomer does not wait for them.
else process.env.KEYTURN_FEWER ??= '6'
const wanted = process.argv.slice(2).filter((word) => word !== '--whole')
// Where `--whole` follows, which runs these tests and more of them, they are left out here.
const follows = process.env.KEYTURN_WHOLE_FOLLOWS === '1'
// So does `npm run test:crash`: it tries every point that these draw some of, or draws many more.
const ofMatrix = ['lifecycle/after', 'lifecycle/crash', 'lifecycle/crash-self-issued']
const nameOf = (file) => file.replace(/^dist\/test\//, '').replace(/\.test\.js$/, '')
const isWhole = (file, one) => nameOf(file) === one.file
const isLeft = (file) =>
  wholeTests.some((one) => (one.only || follows) && isWhole(file, one)) || (follows && ofMatrix.includes(nameOf(file)))
const belongs = (file) => (whole ? wholeTests.some((one) => isWhole(file, one)) : !isLeft(file))
const named = (file) => wanted.length > 0 && wanted.some((part) => file.includes(part))
/**
 * KEYTURN_TEST_SHARE=N draws one file in N by its name and KEYTURN_TEST_SEED, and takes each file that may skip something: where little is installed, these
 * are the ones that differ.
 */
const share = Number(process.env.KEYTURN_TEST_SHARE || 1)
const isDrawn = (file) =>
  createHash('sha256')
    .update(`${process.env.KEYTURN_TEST_SEED ?? ''}/${file}`)
    .digest()
    .readUInt16BE(0) %
    share ===
  0
const maySkip = (file) =>
  /\b(why[A-Z]\w*|\w+Skip|pgbouncer)\b/.test(readFileSync(file.replace(/^dist\//, '').replace(/\.js$/, '.ts'), 'utf8'))
/**
 * Those that take longest begin first, so that none of them runs alone at the end, while the other processor has nothing to do. Only the order depends on
 * the list: CI says which file belongs to it.
 */
const longTests = JSON.parse(readFileSync(new URL('./long-tests.json', import.meta.url), 'utf8'))
const placeOf = (file) => (longTests.includes(nameOf(file)) ? longTests.indexOf(nameOf(file)) : longTests.length)
const files = globSync('dist/test', '.test.js')
  .filter((file) => (wanted.length === 0 ? belongs(file) && (share === 1 || isDrawn(file) || maySkip(file)) : named(file)))
  .sort((one, other) => placeOf(one) - placeOf(other))
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
const stream = run({ files, concurrency: 5 })
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
/** Seconds of each file, from the start of its process to its end. (A test says which chunk it is written in, and not which file runs it.) */
const secondsOf = new Map()
stream.on('test:complete', ({ name, details }) => {
  if (files.includes(name)) secondsOf.set(nameOf(name), details.duration_ms / 1000)
})
const secondsLong = 60
function* slowest() {
  for (const [name, seconds] of [...secondsOf].sort(([, a], [, b]) => b - a).slice(0, 20)) {
    const isMissed = seconds > secondsLong && !longTests.includes(name)
    yield `${seconds.toFixed(0).padStart(5)} s  test/${name}.test.ts${isMissed ? ': belongs to scripts/long-tests.json' : ''}`
  }
}
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
  if (follows && !whole && wanted.length === 0)
    console.log(`left to npm run test:whole and npm run test:crash, which follow: ${wholeTests.length} and ${ofMatrix.length} files`)
  if (share > 1) console.log(`one file in ${share} was drawn, beside those that may skip something: ${files.length} files`)
  if (process.env.CI === 'true') for (const line of slowest()) console.log(line)
  const mayBe = process.env.KEYTURN_MAY_SKIP // what cannot be installed on this machine
  const wrong = skips.filter(({ why }) => !mayBe || !why.includes(mayBe))
  const skipFails = process.env.CI === 'true' && wrong.length > 0
  if (skipFails) console.error('A skip is a failure in CI: test/setup.sh must install what the test needs.')
  console.log(lastLine())
  process.exitCode = failures > 0 || skipFails || files.length === 0 ? 1 : 0
})
report.pipe(process.stdout)
