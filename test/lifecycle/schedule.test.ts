import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parsePolicy } from '../../shared/core/policy/index.js'
import type { SecretState } from '../../shared/core/ports/store.js'
import type { Policy, Token, VersionId } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { scheduled } from '../../shared/lifecycle/secret/defaults.js'
import { dueAt, isCheckDue, isStartDue, jitterMs } from '../../shared/lifecycle/secret/schedule.js'

/** When a rotation is due, without any store: a fake clock through days, seasons and years. */
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const stateAt = (key: string, publishedAt: number): SecretState =>
  ({ ref: { store: storeKind('memory'), key, shown: `memory:${key}`, name: key }, publishedAt, journal: null }) as unknown as SecretState
const settingsOf = (policy: Policy) => parsePolicy(policy, { shortGrace: false })

describe('schedules', () => {
  it('jitter: the same for one secret always, within a twentieth of the schedule and six hours, spread over the fleet', () => {
    const refs = Array.from({ length: 1000 }, (_, index) => stateAt(`s-${index}`, 0).ref)
    const all = refs.map((ref) => jitterMs(ref, 90 * dayMs))
    assert.deepEqual(
      all,
      refs.map((ref) => jitterMs(ref, 90 * dayMs)),
    )
    assert.ok(all.every((ms) => ms >= 0 && ms < 6 * hourMs))
    const buckets = new Map<number, number>()
    for (const ms of all) buckets.set(Math.floor(ms / (5 * minuteMs)), (buckets.get(Math.floor(ms / (5 * minuteMs))) ?? 0) + 1)
    assert.ok(Math.max(...buckets.values()) < 40, 'too many in the same five minutes')
    for (const ref of refs) assert.ok(jitterMs(ref, hourMs) < hourMs)
  })
  it('a year of schedules for 1,000 secrets, with and without windows: none missed, none twice, no two logins of a pair within grace', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC', 'Australia/Lord_Howe']
    const two = (n: number): string => String(n).padStart(2, '0')
    for (let index = 0; index < 1000; index++) {
      const days = [1, 7, 30, 90][index % 4] ?? 7
      const zone = zones[Math.floor(index / 7) % zones.length]
      const hour = Math.floor(index / 3) % 24
      const windows = [
        undefined,
        `${two(hour)}:00-${two((hour + 2) % 24)}:00 ${zone}`,
        `00:00-24:00 ${zone}`,
        undefined,
        `mon tue wed thu fri ${two(hour)}:00-${two((hour + 4) % 24)}:00 ${zone}`,
      ]
      const window = windows[Math.floor(index / 4) % windows.length]
      const settings = settingsOf({ 'keyturn-every': `${days}d`, ...(window === undefined ? {} : { 'keyturn-window': window }) })
      const begin = Date.UTC(2026, 0, 1) + index * minuteMs
      const starts: number[] = [begin]
      let state = stateAt(`secret-${index}`, begin)
      for (let now = begin; now < begin + 365 * dayMs; ) {
        if (isStartDue(state, { settings }, now)) {
          state = stateAt(`secret-${index}`, now)
          starts.push(now)
        }
        const at = dueAt(state, { settings }) ?? assert.fail('no schedule')
        now = Math.max(now + 20 * minuteMs, at - (days * dayMs) / 20 - hourMs) // nothing can be due in between
      }
      const what = `${days} days, ${window ?? 'no window'}`
      const gaps = starts.slice(1).map((start, n) => start - (starts[n] ?? 0))
      assert.ok(
        Math.min(...gaps) >= settings.graceMs && Math.min(...gaps) >= 0.94 * days * dayMs,
        `${what}: twice, ${Math.min(...gaps) / dayMs} days apart`,
      )
      const wait = window?.startsWith('mon') ? 3.2 : 2.2 // the weekend; a day on which the clock skips the window
      assert.ok(Math.max(...gaps) <= (days + wait) * dayMs, `${what}: missed, ${Math.max(...gaps) / dayMs} days apart`)
    }
  })
  it('an hour that the clock skips is waited for until the next day; one that it repeats starts once', () => {
    const settings = settingsOf({ 'keyturn-every': '1d', 'keyturn-window': '02:00-03:00 Europe/Berlin' })
    const starts = (from: number, to: number): string[] => {
      let state = stateAt('dst', from - 2 * dayMs)
      const all: string[] = []
      for (let now = from; now < to; now += 5 * minuteMs) {
        if (!isStartDue(state, { settings }, now)) continue
        state = stateAt('dst', now)
        all.push(new Date(now).toISOString().slice(0, 13))
      }
      return all
    }
    assert.deepEqual(starts(Date.UTC(2026, 2, 28, 12), Date.UTC(2026, 2, 30, 12)), ['2026-03-30T00'])
    assert.deepEqual(starts(Date.UTC(2026, 9, 24, 12), Date.UTC(2026, 9, 25, 12)), ['2026-10-25T00'])
  })
  it('every 7d in a window of each Saturday is each Saturday, not each second one', () => {
    const settings = settingsOf({ 'keyturn-every': '7d', 'keyturn-window': 'sat 02:00-05:00' })
    for (let index = 0; index < 10; index++) {
      let state = stateAt(`weekly-${index}`, Date.UTC(2026, 0, 3, 2, 10))
      let count = 0
      for (let now = state.publishedAt; now < Date.UTC(2027, 0, 3); now += 5 * minuteMs) {
        if (new Date(now).getUTCDay() !== 6 || !isStartDue(state, { settings }, now)) continue
        state = stateAt(`weekly-${index}`, now)
        count++
      }
      assert.ok(count >= 50, `${count} rotations in 52 weeks`)
    }
  })
  it('a window as long as the day does not halve the schedule, and a short one keeps it', () => {
    for (const [every, window, most] of [
      ['1d', '00:00-24:00', 11],
      ['2h', '00:00-24:00', 127],
      ['1d', '02:00-03:00', 11],
    ] as const) {
      const settings = settingsOf({ 'keyturn-every': every, 'keyturn-window': window })
      let [state, count] = [stateAt('whole-day', Date.UTC(2026, 0, 1, 2, 30)), 0]
      for (let now = state.publishedAt; now < Date.UTC(2026, 0, 11, 2, 30); now += 5 * minuteMs) {
        if (!isStartDue(state, { settings }, now)) continue
        state = stateAt('whole-day', now)
        count++
      }
      assert.ok(count >= most * 0.8 && count <= most, `${every} in ${window}: ${count} in ten days`)
    }
  })
  it('the platform that has a schedule of its own starts its own rotations', () => {
    const state = { ...stateAt('native', 0), native: { does: 'starts', nextAt: 7 * dayMs, replicas: [] } } as const
    assert.equal(dueAt(state, { settings: settingsOf({}) }), 7 * dayMs)
    assert.ok(!isStartDue(state, { settings: settingsOf({ 'keyturn-every': '1d' }) }, 30 * dayMs))
  })
  it('a platform that only notifies starts nothing: what is due by publication and period starts once its window opens', () => {
    const published = Date.UTC(2026, 0, 1, 12)
    const state = { ...stateAt('notified', published), native: { does: 'notifies', nextAt: published + dayMs, replicas: [] } } as const
    const settings = settingsOf({ 'keyturn-every': '30d', 'keyturn-window': '02:00-04:00' })
    assert.equal(dueAt(state, { settings }), published + 30 * dayMs)
    const noticed = Date.UTC(2026, 0, 31, 13) // the notice comes outside the window, and once
    assert.ok(!isStartDue(state, { settings }, noticed))
    assert.ok(isStartDue(state, { settings }, Date.UTC(2026, 1, 1, 2)))
    const bare = settingsOf({})
    const ours = { ...state, current: { id: 'v1' as VersionId, createdAt: 0, hasValue: true, ours: 'token' as Token } }
    assert.equal(scheduled(bare, 'database', ours).everyMs, 90 * dayMs, 'the schedule of its type, as where no platform has one')
    assert.equal(scheduled(bare, 'database', { ...ours, native: { does: 'off', replicas: [] } }).everyMs, undefined)
  })
  it('the daily look: once in 24 hours at most a tenth early, also right after a publication', () => {
    for (let index = 0; index < 200; index++) {
      const state = stateAt(`check-${index}`, 1000)
      assert.ok(!isCheckDue(state, 1000 + 0.7 * dayMs) && isCheckDue(state, 1001 + dayMs))
    }
  })
})
