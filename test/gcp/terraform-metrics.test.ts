import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createHandler as createInvoke } from '../../functions/gcp/invoke.js'
import { createHandler as createRotate } from '../../functions/gcp/rotate.js'
import { createHandler as createSweep } from '../../functions/gcp/sweep.js'
import { createHandler as createWork } from '../../functions/gcp/work.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { gcpHarness, openGcp } from '../harness/gcp.js'
import { eventHeaders, messageOf, ServedFunction } from '../harness/gcp-functions.js'
import { entryOf, matches } from '../harness/log-filter.js'
import { logOf, otherLogs, type PrintedLine, PrintedMonth, type Printing, type PrintingKind, stagesOf } from '../harness/printed-month.js'
import { readModule, textOf } from '../harness/terraform-module.js'

/** One secret under the four functions, with every line that they print on stderr. */
describe('the metrics of infra/terraform/gcp, on the lines that the functions print', () => {
  let filters: ReadonlyMap<string, string>
  let world: Awaited<ReturnType<typeof gcpHarness>>
  let printing: Printing
  let ref: SecretRef
  const month = new PrintedMonth()
  const served = new Map<PrintingKind, ServedFunction>()

  before(async () => {
    process.setMaxListeners(50)
    const { resources } = await readModule('infra/terraform/gcp')
    const metrics = resources.filter(({ type }) => type === 'google_logging_metric')
    const named = (text: string): string => text.replace(/\$\{google_cloudfunctions2_function\.(\w+)\.name\}/g, 'keyturn-$1')
    filters = new Map(metrics.map(({ name, body }) => [name, named(textOf(body, 'filter'))]))
  })

  before(async () => {
    world = await gcpHarness('one clock')
    const given = {
      environment: { GOOGLE_CLOUD_PROJECT: 'p', KEYTURN_SHORT_GRACE: '1', KEYTURN_CONFIG: 'gcp:projects/p/secrets/config' },
      env: { now: world.env.now, sleep: world.env.sleep, random: world.env.random },
      openStore: () => openGcp(world.double, world.env),
      openQueue: () => month.queue,
    }
    served.set('rotate', await ServedFunction.events(createRotate(given)))
    served.set('sweep', await ServedFunction.http(createSweep(given)))
    served.set('work', await ServedFunction.http(createWork(given)))
    served.set('invoke', await ServedFunction.http(createInvoke(given)))
    let events = 0
    printing = {
      store: world.store,
      env: world.env,
      call: (by, body) => (served.get(by) ?? assert.fail(by)).post(body, by === 'rotate' ? eventHeaders(String(++events)) : undefined),
      notice: async ({ key }, at) => messageOf({ eventType: 'SECRET_ROTATE', secretId: key, timestamp: new Date(at).toISOString() }),
      strangeNotice: messageOf({ eventType: 'SECRET_ROTATE' }),
      setConfiguration: (value) =>
        void world.double.do('AddSecretVersion', { parent: 'projects/p/secrets/config', payload: { data: Buffer.from(value.reveal()) } }),
      failListings: (isFailing) => {
        world.double.fault = ({ name }) => (isFailing && name === 'ListSecrets' ? 'internal' : undefined)
      },
    }
    ref = await month.prepare(printing, 'metrics')
  })
  after(async () => {
    for (const one of served.values()) await one.close()
    await world.close()
  })
  const entryOfLine = ({ by, line }: PrintedLine) => entryOf(`keyturn-${by}`, line)

  it('match exactly the lines that they are about, and no other line of the run', async () => {
    await month.live(printing, ref)
    const { printed } = month
    assert.deepEqual([...filters.keys()].sort(), Object.keys(stagesOf).sort())
    for (const [metric, filter] of filters) {
      const found = printed.filter((one) => matches(filter, entryOfLine(one)))
      const wanted = stagesOf[metric] ?? []
      assert.deepEqual([...new Set(found.map((one) => one.stage))].sort(), [...wanted].sort(), metric)
      const isDead = metric === 'dead_letters'
      const [by, log] = isDead ? [['rotate', 'work'], 'dead_letter'] : [['sweep'], 'looked']
      const those = printed.filter((one) => wanted.includes(one.stage) && by.includes(one.by) && logOf(one) === log)
      if (isDead) assert.equal(those.length, 2)
      assert.deepEqual(found, those, metric)
    }
    const others = printed.filter((one) => [...filters.values()].every((filter) => !matches(filter, entryOfLine(one))))
    const logs = new Set(others.map(logOf))
    for (const log of otherLogs) assert.ok(logs.has(log), `no line ${log}`)
  })

  it('do not match the lines of a service of another name, nor a line without a counter', () => {
    const looked = '{"log":"looked","overdue":3,"stuck":1,"held":1,"failed":1,"complete":"true"}'
    for (const [metric, filter] of filters) {
      if (metric === 'dead_letters') continue
      assert.ok(matches(filter, entryOf('keyturn-sweep', looked)), metric)
      assert.ok(!matches(filter, entryOf('keyturn-sweep-2', looked)), metric)
      assert.ok(!matches(filter, entryOf('keyturn-sweep', '{"log":"looked","overdue":"3"}')), metric)
      assert.ok(
        !matches(filter, entryOf('keyturn-sweep', '{"log":"looked","overdue":0,"stuck":0,"held":0,"failed":0,"complete":"false"}')),
        metric,
      )
    }
    const dead = filters.get('dead_letters') ?? assert.fail('no metric')
    for (const by of ['rotate', 'work']) assert.ok(matches(dead, entryOf(`keyturn-${by}`, '{"log":"dead_letter"}')), by)
    assert.ok(!matches(dead, entryOf('keyturn-sweep', '{"log":"dead_letter"}')))
  })

  it('keep to a form that the matcher judges', () => {
    for (const wrong of ['severity >= ERROR', 'jsonPayload.log : "looked"', 'a = 1 OR b = 2', 'jsonPayload.log =~ "look.*"'])
      assert.throws(() => matches(wrong, {}), /not understood/)
  })
})
