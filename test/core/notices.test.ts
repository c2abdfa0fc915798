import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { noticeDrift, shownDrift } from '../../shared/core/notices.js'
import type { Native, Policy } from '../../shared/core/ports/words.js'

const hour = 3_600_000
const day = 24 * hour
const publishedAt = Date.UTC(2026, 0, 5, 12)
const now = publishedAt + day
const due = publishedAt + 30 * day
const monthly: Policy = { 'keyturn-every': '30d' }
const native = (more: Partial<Native>): Native => ({ does: 'notifies', everyMsMin: hour, replicas: [], ...more })
const fits = native({ nextAt: due, everyMs: 30 * day })
const drift = (one: Native | undefined, policy = monthly, at = now) => {
  const found = noticeDrift(one, policy, { now: at, publishedAt })
  return found && shownDrift(found)
}

describe('a difference between the policy and the notices of a platform', () => {
  it('is none where they agree, and where no platform notifies', () => {
    assert.equal(drift(fits), undefined)
    assert.equal(drift(undefined), undefined)
    assert.equal(drift(native({}), {}), undefined)
    for (const does of ['starts', 'off'] as const) assert.equal(drift({ does, nextAt: now, everyMs: day, replicas: [] }), undefined)
  })

  const month = 'and keyturn-every is 30d'
  for (const [what, one, says] of [
    ['another period', { ...fits, everyMs: 7 * day }, `drift: the platform notifies every 7d, ${month}`],
    ['no notice', native({}), `drift: the platform has no notice planned, ${month}`],
    ['a late one', { ...fits, nextAt: now - day - 1 }, "drift: the platform's notice of 2026-01-05T11:59:59.999Z is more than a day late"],
    [
      'one a period too far away',
      { ...fits, nextAt: due + 30 * day + 1 },
      `drift: the platform notifies at 2026-03-06T12:00:00.001Z, more than a period after a rotation is due, ${month}`,
    ],
    [
      'another period that was written, where the platform shows none',
      native({ nextAt: due, written: { everyMs: 7 * day, nextAt: due } }),
      `drift: the platform was told to notify every 7d, ${month}`,
    ],
    [
      'one that was moved a whole period to the front, where the platform shows no period',
      native({ nextAt: due, written: { everyMs: 30 * day, nextAt: due + 30 * day } }),
      `drift: somebody has moved the platform's next notice to 2026-02-04T12:00:00.000Z, ${month}`,
    ],
    [
      'a moved one, where the platform shows no period',
      native({ nextAt: due - 7 * day, written: { everyMs: 30 * day, nextAt: due - 30 * day } }),
      `drift: somebody has moved the platform's next notice to 2026-01-28T12:00:00.000Z, ${month}`,
    ],
  ] as const) {
    it(`is ${what}`, () => assert.equal(drift(one), says))
  }

  it('is a schedule that the policy does not have, or that is too short for it', () => {
    const at = '2026-02-04T12:00:00.000Z'
    assert.equal(drift(fits, {}), `drift: the platform notifies at ${at}, and the policy has no keyturn-every`)
    assert.equal(
      drift(fits, { 'keyturn-every': '59m' }),
      `drift: the platform notifies at ${at}, and keyturn-every is 59m, which is too short for a notice`,
    )
    assert.equal(drift(native({}), { 'keyturn-every': '59m' }), undefined)
    assert.equal(drift(native({ nextAt: publishedAt + hour, everyMs: hour }), { 'keyturn-every': '60m' }, publishedAt), undefined)
  })

  it('cannot be seen where the platform shows no period, even if the times are those that were written', () => {
    const unseen = `drift cannot be seen: the platform does not show how often it notifies, ${month}`
    assert.equal(drift(native({ nextAt: due })), unseen)
    const written = { everyMs: 30 * day, nextAt: due }
    for (const turns of [0, 1, 2]) {
      const nextAt = due + turns * 30 * day + turns * 60_000
      assert.equal(drift(native({ nextAt, written }), monthly, nextAt - day), unseen)
    }
  })

  it('is none while a notice is at most a day late, or a period after what is due by now', () => {
    assert.equal(drift({ ...fits, nextAt: now - day }), undefined)
    assert.equal(drift({ ...fits, nextAt: due + 30 * day }), undefined)
    const paused = due + 100 * day
    assert.equal(drift({ ...fits, nextAt: paused + 30 * day }, monthly, paused), undefined)
  })

  it('says what puts it right', () => {
    const next = (policy: Policy) => noticeDrift({ ...fits, everyMs: day }, policy, { now, publishedAt })?.next
    assert.equal(next(monthly), "Run keyturn policy <ref> every=30d: it writes the platform's schedule again.")
    assert.match(next({}) ?? '', /^Set keyturn-every with keyturn policy <ref>, or remove/)
  })
})
