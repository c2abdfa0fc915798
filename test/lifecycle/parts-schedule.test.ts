import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { Policy, SecretRef } from '../../shared/core/ports/words.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { dayMs, SelfIssuedWorld } from '../harness/self-issued-world.js'

const hourMs = 3_600_000
const fields = ['admin_key', 'worker_key', 'monitoring_key'] as const
const every = { 'keyturn-admin_key-every': '30d', 'keyturn-worker_key-every': '90d', 'keyturn-every': '180d' }
const daysOf = { admin_key: 30, worker_key: 90, monitoring_key: 180 } as const
const value = Object.fromEntries(fields.map((field) => [field, `first-${field}-0123456789`]))

describe('parts with schedules of their own', () => {
  const open = async (policy: Policy = {}) => {
    const world = new SelfIssuedWorld('parts-schedule')
    const parts = fields.map((field) => `${field}=random`).join(' ')
    return { world, ref: await world.create('keys', value, { 'keyturn-parts': parts, ...every, ...policy }) }
  }
  const read = (world: SelfIssuedWorld, ref: SecretRef) => world.json<Record<string, string>>(ref)
  const changed = (before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>) =>
    fields.filter((field) => before[field] !== now[field])

  for (const wiped of [false, true])
    it(`two years of sweeps${wiped ? ', with a journal that is wiped before each' : ''}: each part changes in its own period, and no other with it`, async () => {
      const { world, ref } = await open()
      const times: Record<string, number[]> = Object.fromEntries(fields.map((field) => [field, [world.env.time]]))
      for (let step = 0; step < 2 * 365 * 4; step++) {
        world.env.time += 6 * hourMs
        const before = await read(world, ref)
        if (wiped) world.main.wipeJournal(ref)
        await world.sweep()
        for (const field of changed(before, await read(world, ref))) times[field]?.push(world.env.time)
      }
      for (const field of fields) {
        const apart = (times[field] ?? []).slice(1).map((at, index) => (at - (times[field]?.[index] ?? 0)) / dayMs)
        const period = daysOf[field]
        assert.ok((apart[0] ?? 0) <= period + 1, `the first of ${field} after ${apart[0]} days`)
        for (const days of apart.slice(1)) assert.ok(Math.abs(days - period) <= 1, `${field} after ${days} days`)
        assert.ok(Math.abs(apart.length - (2 * 365) / period) <= 1, `${field}: ${apart.length} times`)
      }
    })

  it('status and the plan name when the first of them is due', async () => {
    const { world, ref } = await open()
    const { nextAt = 0 } = await world.act((deps) => statusOf(deps, ref.shown))
    assert.ok(nextAt > world.env.time - dayMs && nextAt <= world.env.time + 30 * dayMs)
    world.env.time = nextAt - 1
    assert.deepEqual(await startsOf(world), [])
    world.env.time = nextAt
    assert.equal((await startsOf(world)).length, 1)
  })
  const startsOf = async (world: SelfIssuedWorld) => (await world.sweep()).filter(({ action }) => action === 'start')

  it('by hand: one part takes along what is due, an emergency of one part does not, and manual mode has no schedule', async () => {
    for (const [request, policy, expected] of [
      [{ part: 'monitoring_key' }, {}, fields],
      [{ part: 'monitoring_key', kind: 'emergency' }, {}, ['monitoring_key']],
      [{ part: 'monitoring_key' }, { 'keyturn-mode': 'manual' }, ['monitoring_key']],
      [{}, {}, fields],
    ] as const) {
      const { world, ref } = await open(policy)
      world.env.time += 91 * dayMs // nobody swept
      await world.rotate(ref, request)
      assert.deepEqual(changed(value, await read(world, ref)), expected, JSON.stringify({ request, policy }))
    }
  })

  it('two sweeps that saw the same: one publication, and what is not due stays', async () => {
    const { world, ref } = await open()
    const { nextAt = 0 } = await world.act((deps) => statusOf(deps, ref.shown))
    world.env.time = nextAt + hourMs
    const both = await Promise.all([startsOf(world), startsOf(world)])
    const now = await read(world, ref)
    assert.equal(changed(value, now).length, 1, JSON.stringify(both))
    const { current } = await world.state(ref)
    // Whoever looked before it was published finds it answered.
    const late = world.act((deps) => rotate(deps, { kind: 'rotate', due: true, ref: ref.shown, at: nextAt + hourMs }))
    assert.equal((await late).outcome, 'unchanged')
    await assert.rejects(
      world.act((deps) => rotate(deps, { kind: 'rotate', due: true, ref: ref.shown, at: world.env.time + hourMs })),
      (cause) => codeOf(cause) === 'held' && /No part of .* is due/.test(String(cause)),
    )
    assert.equal((await world.state(ref)).current?.id, current?.id)
  })

  it('dies before its value is kept: the next sweep begins it anew, for what is due', async () => {
    const { world, ref } = await open()
    const { nextAt = 0 } = await world.act((deps) => statusOf(deps, ref.shown))
    world.env.time = nextAt
    const dying = world.newProcess([{ at: 1, mode: 'before' }])
    await world.sweep(dying).catch(() => undefined)
    assert.ok(dying.dead)
    for (let pass = 0; pass < 3; pass++) {
      world.env.time += hourMs
      await world.sweep()
    }
    assert.equal(changed(value, await read(world, ref)).length, 1)
  })

  it('a platform that has a schedule has one for the whole secret', async () => {
    const world = new SelfIssuedWorld('parts-native', 'aws')
    const policy = { 'keyturn-parts': 'admin_key=random', 'keyturn-admin_key-every': '30d' }
    await assert.rejects(
      world.create('keys', value, policy),
      (cause) => codeOf(cause) === 'bad_policy' && /the platform has one schedule/.test(String(cause)),
    )
  })
})
