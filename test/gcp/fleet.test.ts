import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { expectedOf, type Layout } from '../../bench/fleet/fleet.js'
import { others } from '../../bench/fleet/kinds.js'
import { isExact, type Measured, measureFleet } from '../../bench/fleet/measure.js'

const pageSize = 250

describe('npm run bench:fleet, with a small fleet', () => {
  const check = (measured: Measured, secrets: number): void => {
    const { due, failed, described } = expectedOf(secrets)
    const { tasks, pages, otherCalls, heapMb } = measured
    const { stuck, overdue, held: _, oldestSeconds: __, ...report } = measured.report
    assert.ok(isExact(tasks), JSON.stringify(tasks))
    assert.deepEqual([tasks.sent, tasks.distinctNames, tasks.alreadyThere], [due.size, due.size, 0])
    assert.deepEqual(report, { secrets, sent: due.size, failed, complete: true })
    assert.deepEqual([stuck, overdue], [0, (3 * secrets) / 1000]) // those that are to start
    // Each secret and its place, one of somebody else for each hundred, and the configuration with its own place.
    assert.equal(pages, Math.ceil((2 * secrets + secrets / 100 + 2) / pageSize))
    assert.deepEqual(Object.keys(otherCalls).sort(), ['AccessSecretVersion', 'GetSecret', 'ListSecretVersions'])
    assert.equal(otherCalls.GetSecret, 2 * described)
    assert.ok(heapMb.atEnd - heapMb.atTenth < 8, JSON.stringify(heapMb))
  }

  it('sends one task for each thing that is due and none twice, also by two looks at once, and describes nothing else', async () => {
    const secrets = 2000
    const measured = await measureFleet({ secrets, layout: 'beside', pageSize, twice: true })
    check(measured, secrets)
    const { twoAtOnce } = measured
    assert.ok(twoAtOnce !== undefined && isExact(twoAtOnce), JSON.stringify(twoAtOnce))
    const { size } = expectedOf(secrets).due
    assert.deepEqual([twoAtOnce.sent, twoAtOnce.distinctNames, twoAtOnce.alreadyThere], [2 * size, size, size])
  })

  it('does the same where every staging place is far from its secret in the list', async () => {
    const later: Layout = 'later'
    check(await measureFleet({ secrets: 1000, layout: later, pageSize }), 1000)
  })

  it('has secrets of each kind in each thousand, and says what is due without asking the code', () => {
    const { due, byAction, failed, described } = expectedOf(1000)
    assert.deepEqual(byAction, { start: 3, check: 3, retire: 3, announce: 2, resume: 1 })
    assert.deepEqual([due.size, failed, described], [12, 1, others.length - 1])
  })
})
