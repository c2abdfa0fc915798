import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type LookReport, lookAtFleet } from '../../shared/app/look-report.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { MemoryQueue } from '../harness/memory-queue.js'
import { World } from '../harness/world.js'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** The most that a schedule of thirty days is put off, so that many secrets do not start in one minute. */
const jitterMsMax = 6 * hourMs
type Line = Readonly<Record<string, string | number>>

/** A secret that was announced once, and what looks at its fleet say. */
async function open(policy: Policy = {}, profile: ProfileName = 'gcp') {
  const all = { 'keyturn-every': '30d', 'keyturn-grace': '1h', ...policy }
  const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles[profile], effects), 'look-report', all)
  await announce(world.deps('announce'), world.ref.shown)
  const look = async (): Promise<{ readonly report: LookReport; readonly lines: readonly Line[] }> => {
    const lines: Line[] = []
    const deps = world.deps('look')
    const env = { ...deps.env, now: world.env.now, random: world.env.random, sleep: world.env.sleep }
    const log = (code: string, fields: Line): void => void lines.push({ log: code, ...fields })
    const report = await lookAtFleet({ ...deps, env: { ...env, cancelled: world.env.cancelled, log } }, new MemoryQueue())
    return { report, lines }
  }
  const publishedAt = (await world.store.describe(world.ref)).publishedAt
  return { world, look, publishedAt }
}
const kindsOf = (lines: readonly Line[]): readonly unknown[] => lines.map(({ log }) => log)

describe('the report of a look at a fleet', () => {
  for (const profile of ['gcp', 'k8s'] as const)
    it(`${profile}: counts nothing for a secret that is on time, and says how old its value is`, async () => {
      const { world, look, publishedAt } = await open({}, profile)
      world.env.time = publishedAt + 29 * dayMs
      const { report, lines } = await look()
      const { stuck, held, overdue, oldestSeconds } = report
      assert.deepEqual({ stuck, held, overdue, oldestSeconds }, { stuck: 0, held: 0, overdue: 0, oldestSeconds: (29 * dayMs) / 1000 })
      assert.deepEqual(kindsOf(lines), ['looked'])
    })

  for (const profile of ['gcp', 'k8s'] as const)
    it(`${profile}: counts a secret as overdue once it has been due for a day`, async () => {
      const { world, look, publishedAt } = await open({}, profile)
      world.env.time = publishedAt + 30 * dayMs + jitterMsMax
      const due = await look()
      assert.ok(due.report.sent > 0)
      assert.equal(due.report.overdue, 0)
      world.env.time += dayMs + 1
      const { report, lines } = await look()
      assert.deepEqual([report.overdue, report.held, report.stuck], [1, 0, 0])
      assert.deepEqual(kindsOf(lines), ['overdue', 'looked'])
      assert.equal(lines[0]?.ref, world.ref.shown)
      const seconds = Number(lines[0]?.seconds)
      assert.ok(seconds > dayMs / 1000 && seconds <= (dayMs + jitterMsMax + 1) / 1000, String(seconds))
    })

  it('is patient with a window: until it has opened once more, a rotation that waits for it is neither held nor overdue', async () => {
    const { world, look, publishedAt } = await open({ 'keyturn-window': 'sat 02:00-05:00' })
    const afterDue = publishedAt + 30 * dayMs
    for (let hour = 0; hour < 7 * 24; hour++) {
      world.env.time = afterDue + hour * hourMs
      const { overdue, held } = (await look()).report
      assert.deepEqual([hour, overdue, held], [hour, 0, 0])
    }
    world.env.time = afterDue + 8 * dayMs + 1
    assert.equal((await look()).report.overdue, 1)
  })

  it('counts what is due and may not start as held, with the reason, and only then', async () => {
    const { world, look, publishedAt } = await open()
    const from = publishedAt + 20 * dayMs
    world.configuration = { ...noConfiguration, freezes: [{ from, to: from + 90 * dayMs, reason: 'a migration' }] }
    world.env.time = from + dayMs
    assert.equal((await look()).report.held, 0)
    world.env.time = publishedAt + 30 * dayMs + jitterMsMax
    const { report, lines } = await look()
    assert.deepEqual([report.held, report.overdue], [1, 0])
    assert.match(String(lines.find(({ log }) => log === 'held')?.why), /a migration/)
    world.env.time += 2 * dayMs
    const later = await look()
    assert.deepEqual([later.report.held, later.report.overdue], [1, 1])
    assert.match(String(later.lines.find(({ log }) => log === 'overdue')?.why), /a migration/)
  })

  it('counts a secret that waits for a person as stuck, and not as overdue', async () => {
    const { world, look } = await open()
    await world.store.note(await world.store.describe(world.ref), { code: 'stuck' })
    world.env.time += 300 * dayMs
    const { report, lines } = await look()
    assert.deepEqual([report.stuck, report.overdue, report.held], [1, 0, 0])
    assert.deepEqual(lines[0], { log: 'stuck', ref: world.ref.shown, code: 'stuck' })
  })

  for (const mode of ['manual', 'paused'])
    it(`counts no secret as late whose mode is ${mode}`, async () => {
      const { world, look } = await open({ 'keyturn-mode': mode })
      world.env.time += 300 * dayMs
      const { report } = await look()
      assert.deepEqual([report.overdue, report.held, report.oldestSeconds], [0, 0, 0])
    })

  it('counts every secret, and names a hundred of a kind', async () => {
    const { world, look } = await open()
    const value = new SecretText(world.firstValue)
    for (let n = 0; n < 120; n++)
      await world.store.create(`db-${n}`, value, { 'keyturn-rotator': 'memory-b', 'keyturn-pair': 'app_a app_b', 'keyturn-every': '30d' })
    world.env.time += 300 * dayMs
    const { report, lines } = await look()
    assert.equal(report.overdue, 121)
    assert.equal(kindsOf(lines).filter((kind) => kind === 'overdue').length, 100)
    const { complete, ...counters } = report
    assert.deepEqual(lines.at(-1), { log: 'looked', ...counters, complete: String(complete) })
  })
})
