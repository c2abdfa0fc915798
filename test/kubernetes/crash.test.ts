import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { codeOf } from '../../shared/core/errors.js'
import type { Change, Consumer } from '../../shared/core/ports/notifier.js'
import { create } from '../../shared/notifiers/kubernetes.js'
import type { KubeFake } from '../harness/kube/fake.js'
import { Lab, minterToken, type Room } from '../harness/kube/lab.js'
import { until } from '../harness/kube/server.js'

/** All that is ever asked of a cluster; infra/kubernetes grants no more. */
const list = [
  'GET /apis/external-secrets.io',
  'GET externalsecrets/db',
  'PATCH externalsecrets/db',
  'GET secrets/db',
  'GET deployments/web',
  'PATCH deployments/web',
  'GET pods',
]

describe('kubernetes: killed at every call, marks wiped, and two at once', () => {
  let lab: Lab
  let fake: KubeFake
  let room: Room
  const notifier = create()
  before(async () => {
    lab = await Lab.open('fake')
    fake = lab.fake ?? assert.fail()
  })
  afterEach(() => {
    fake.fault = () => undefined
  })
  after(() => lab?.close())

  async function open(): Promise<{ readonly consumer: Consumer; readonly change: Change; readonly generation: () => Promise<number> }> {
    room = await lab.room(60)
    await room.makeWorkload('Deployment')
    const path = room.workloadPath('Deployment')
    const generation = async (): Promise<number> => (await lab.api.must('GET', path)).metadata?.generation ?? 0
    await until('its pods', async () => {
      const { status } = await lab.api.must('GET', path)
      return (status as { availableReplicas?: number } | undefined)?.availableReplicas === 2
    })
    return { consumer: room.consumer(), change: room.publish(), generation }
  }
  /** As a sweep after the other; whatever one of them dies of is an error with a code. */
  async function follow(change: Change, consumer: Consumer, between: () => Promise<void> = async () => {}): Promise<void> {
    for (let looks = 0; looks < 400; looks++) {
      try {
        if ((await notifier.advance(change, consumer, room.context())).phase === 'drained') return
      } catch (cause) {
        assert.equal(codeOf(cause), 'delivery_failed', String(cause))
        // The server's own words can hold the whole object, values included.
        assert.ok(!inspect(cause, { depth: 9 }).includes('as the test says'))
      }
      await between()
      await delay(10)
    }
    assert.fail('never drained')
  }
  const short = (call: string): string =>
    call.replace(/\/apis?\/.*\/namespaces\/[^/]+\//, '').replace(/^(\w+) \/api.*\/namespaces\/[^/]+\//, '$1 ')

  it('asks for nothing that is not on the list', async () => {
    const { consumer, change, generation } = await open()
    const first = await generation()
    fake.calls.length = 0
    await follow(change, consumer)
    assert.deepEqual([...new Set(fake.calls.map(short))].sort(), [...list].sort())
    assert.equal(await generation(), first + 1)
    await room.close()
  })

  for (const fault of ['cut', 'drop', 500, 429] as const) {
    it(`${fault} at each call: drained all the same, and restarted once`, async () => {
      for (const call of list) {
        const { consumer, change, generation } = await open()
        const first = await generation()
        let met = false
        fake.fault = (one) => {
          if (met || short(one) !== call) return undefined
          met = true
          return fault
        }
        await follow(change, consumer)
        assert.ok(met, call)
        assert.equal(await generation(), first + 1, `${fault} at ${call}`)
        fake.fault = () => undefined
        await room.close()
      }
    })
  }

  it('a server that is busy is left alone for as long as it asks (Retry-After), at most an hour', async () => {
    const { consumer, change } = await open()
    for (const [given, waitMs] of [
      ['7', 7000],
      ['99999', 3_600_000],
      [new Date(Math.floor(room.env.time / 1000) * 1000 + 90_000).toUTCString(), 90_000],
    ] as const) {
      fake.retryAfter = given
      fake.fault = () => 429
      const { phase, again = 0, code, evidence } = await notifier.advance(change, consumer, room.context())
      assert.deepEqual([phase, code], ['failed', 'delivery_failed'])
      assert.match(evidence, /answered 429, again after \d+ s/)
      assert.ok(Math.abs(again - room.env.time - waitMs) <= 1000, `${given}: ${again - room.env.time}`)
    }
    fake.retryAfter = undefined
    fake.fault = () => undefined
    await room.close()
  })

  it('a token that the server does not take any more is asked for anew at the next look', async () => {
    const { consumer: _, change } = await open()
    await room.makeAccount('narrow')
    const consumer = room.consumer({}, { token: minterToken, serviceAccount: `${room.namespace}/narrow` })
    await notifier.advance(change, consumer, room.context())
    fake.expireIssued() // its ServiceAccount was made anew, for example
    await assert.rejects(notifier.advance(change, consumer, room.context()), { code: 'denied', message: /401/ })
    await follow(change, consumer)
    await room.close()
  })

  it('connections are kept over looks', async () => {
    const { consumer, change } = await open()
    await notifier.advance(change, consumer, room.context())
    const [calls, connections] = [fake.calls.length, fake.ours.size]
    await follow(change, consumer)
    assert.ok(fake.calls.length - calls > 10)
    assert.ok(fake.ours.size - connections <= 1, `${fake.ours.size - connections} new connections`)
    await room.close()
  })

  it('the mark on the ExternalSecret wiped between any two looks: restarted once', async () => {
    for (let at = 1; at <= 6; at++) {
      const { consumer, change, generation } = await open()
      const first = await generation()
      let looks = 0
      await follow(change, consumer, async () => {
        if (++looks === at) await room.wipeMarks()
      })
      assert.equal(await generation(), first + 1, `wiped after look ${at}`)
      await room.close()
    }
  })

  it('two sweeps at once: restarted once', async () => {
    const { consumer, change, generation } = await open()
    const first = await generation()
    await Promise.all([follow(change, consumer), follow(change, consumer)])
    assert.equal(await generation(), first + 1)
    await room.close()
  })
})
