import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import azureFunctions from '@azure/functions'
import { createHandler as createInvoke } from '../../functions/azure/invoke.js'
import { poisonName, queueName } from '../../functions/azure/queue/settings.js'
import { createHandler as createRotate } from '../../functions/azure/rotate.js'
import { createHandler as createSweep } from '../../functions/azure/sweep.js'
import { createHandler as createWork } from '../../functions/azure/work.js'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { AzureServices, openAzure, writeForeign } from '../harness/azure.js'
import { azuriteSkip } from '../harness/azurite.js'
import { queried, type Row } from '../harness/kusto.js'
import { logOf, lookStages, otherLogs, type PrintedLine, PrintedMonth, type Printing, stagesOf } from '../harness/printed-month.js'
import { suite } from '../harness/suite.js'
import { type Body, blockOf, blocksOf, type Module, readModule, textOf } from '../harness/terraform-module.js'

const app = 'shop-fleet'
/** A trace as the platform keeps a line that a worker printed. */
const traceOf = (line: string, of = app): Row => ({ AppRoleName: of, Message: line })

/** What Terraform makes of each alert: its query, with names in it. */
async function readAlerts(): Promise<{ readonly module: Module; readonly alerts: ReadonlyMap<string, Body> }> {
  const module = await readModule('infra/terraform/azure')
  const alerts = module.resources.filter(({ type }) => type === 'azurerm_monitor_scheduled_query_rules_alert_v2')
  return { module, alerts: new Map(alerts.map(({ name, body }) => [name, body])) }
}
function queryOf(module: Module, alert: Body): string {
  const named = (text: string): string =>
    text
      .replace('${trimspace(local.lines)}', () => named(String(module.locals.get('lines'))).trim())
      .replace('${azurerm_function_app_flex_consumption.fleet.name}', app)
      .replace('${azurerm_storage_account.fleet.name}', 'shopfleet')
      .replace('${azurerm_storage_queue.poison.name}', poisonName(queueName({})))
  return named(textOf(blockOf(alert, 'criteria'), 'query'))
}

suite('the alerts of infra/terraform/azure, on the lines that the functions print', azuriteSkip, ({ it, before, after }) => {
  const services = new AzureServices()
  const month = new PrintedMonth()
  let world: Awaited<ReturnType<AzureServices['open']>>
  let printing: Printing
  let ref: SecretRef
  let queries: ReadonlyMap<string, string>
  const countOf = (name: string, rows: readonly Row[]): number =>
    queried(queries.get(name) ?? assert.fail(name), { AppTraces: rows }).length
  const traces = (lines: readonly PrintedLine[]): readonly Row[] => lines.map(({ line }) => traceOf(line))

  before(async () => {
    const { module, alerts } = await readAlerts()
    queries = new Map([...alerts].map(([name, body]) => [name, queryOf(module, body)]))
    world = await services.open()
    const open = () => openAzure(world, world.env, { container: world.container })
    const store = open()
    const given = {
      environment: { KEYTURN_AZURE_VAULTS: 'app', KEYTURN_SHORT_GRACE: '1', KEYTURN_CONFIG: 'azure:app/config' },
      env: { now: world.env.now, sleep: world.env.sleep, random: world.env.random },
      openStore: open,
      openQueue: () => month.queue,
      letters: { put: async () => {} },
    }
    const context = new azureFunctions.InvocationContext()
    const [rotate, sweep, work, invoke] = [createRotate(given), createSweep(given), createWork(given), createInvoke(given)]
    const timer = { schedule: { adjustForDST: false }, scheduleStatus: { last: '', next: '', lastUpdated: '' }, isPastDue: false }
    const calls = {
      rotate: async (event: unknown) => rotate(event as Parameters<typeof rotate>[0], context),
      sweep: async () => sweep(timer, context),
      work: async (message: unknown) => work(message, context),
      invoke: async (body: unknown) =>
        invoke(
          new azureFunctions.HttpRequest({ method: 'POST', url: 'https://x/invoke', body: { string: JSON.stringify(body) } }),
          context,
        ),
    }
    const event = { eventType: 'Microsoft.KeyVault.SecretNearExpiry', eventTime: '2026-01-01T00:00:00Z' }
    printing = {
      store,
      env: world.env,
      call: (by, body) => calls[by](body),
      notice: async (of, at) => {
        const version = (await store.describe(of)).current?.id ?? assert.fail('there is no version')
        const data = { ObjectType: 'Secret', Id: `https://app.vault.azure.net/secrets/db/${version}` }
        return { ...event, eventTime: new Date(at).toISOString(), data }
      },
      strangeNotice: { ...event, data: {} },
      setConfiguration: (value) => void writeForeign(world.double, { name: 'config' } as SecretRef, value),
      failListings: (isFailing) => {
        world.double.fault = ({ name }) => (isFailing && name === 'GetSecrets' ? 'internal' : undefined)
      },
    }
    ref = await month.prepare(printing, 'alerts')
    await month.live(printing, ref)
  })
  after(async () => {
    world?.blobs.close()
    await services.stop()
  })

  it('match exactly the lines that they are about, and no other line of the run', () => {
    const { printed } = month
    const judged = ['overdue', 'stuck', 'unreadable', 'dead_letters']
    for (const name of judged) {
      const found = printed.filter((one) => countOf(name, traces([one])) > 0)
      // A vault that cannot be listed is one that cannot be looked at: the look goes on with the others.
      const wanted = [...(stagesOf[name] ?? []), ...(name === 'unreadable' ? ['no look'] : [])]
      assert.deepEqual([...new Set(found.map(({ stage }) => stage))].sort(), [...wanted].sort(), name)
      const isDead = name === 'dead_letters'
      const [by, log] = isDead ? [['rotate', 'work'], 'dead_letter'] : [['sweep'], 'looked']
      const those = printed.filter((one) => wanted.includes(one.stage) && by.includes(one.by) && logOf(one) === log)
      if (isDead) assert.equal(those.length, 2)
      assert.deepEqual(found, those, name)
    }
    const logs = new Set(printed.filter((one) => judged.every((name) => countOf(name, traces([one])) === 0)).map(logOf))
    for (const log of otherLogs) assert.ok(logs.has(log), `no line ${log}`)
  })

  it('hear a sweep that is silent, whatever else is printed', () => {
    const query = queries.get('silent') ?? assert.fail('no alert')
    const looksIn = (lines: readonly PrintedLine[]): unknown => queried(query, { AppTraces: traces(lines) })[0]?.looks
    for (const stage of lookStages) assert.notEqual(looksIn(month.printed.filter((one) => one.stage === stage)), 0, stage)
    assert.equal(looksIn(month.printed.filter((one) => logOf(one) !== 'looked')), 0)
    assert.equal(looksIn([]), 0)
    assert.deepEqual(queried(query, { AppTraces: [traceOf('{"log":"looked","complete":"false"}')] }), [{ looks: 0 }])
  })

  it('hear of a hold that each look saw, and of no other', () => {
    const of = (stages: readonly string[]): number => countOf('held', traces(month.printed.filter(({ stage }) => stages.includes(stage))))
    assert.equal(of(['held', 'held and overdue']), 1)
    assert.equal(of(['held', 'overdue']), 0)
    assert.equal(of(['no look', 'ordinary']), 0)
    assert.equal(of([]), 0)
  })
})

describe('the alerts of infra/terraform/azure, as they are written', () => {
  let module: Module
  let alerts: ReadonlyMap<string, Body>
  before(async () => {
    const read = await readAlerts()
    module = read.module
    alerts = read.alerts
  })
  const rowsOf = (name: string, rows: Readonly<Record<string, readonly Row[]>>): readonly Row[] =>
    queried(queryOf(module, alerts.get(name) ?? assert.fail(name)), rows)

  it('hear of no other app, and of no line without a counter', () => {
    const looked = '{"log":"looked","overdue":3,"stuck":1,"held":1,"failed":1,"complete":"true"}'
    for (const name of ['overdue', 'stuck', 'unreadable', 'held']) {
      assert.equal(rowsOf(name, { AppTraces: [traceOf(looked)] }).length, 1, name)
      for (const other of [
        traceOf(looked, 'shop-jwks'),
        traceOf('{"log":"looked","complete":"true"}'),
        traceOf(`Executing: ${looked}`),
        traceOf('Host started'),
      ])
        assert.equal(rowsOf(name, { AppTraces: [other] }).length, 0, name)
    }
  })

  it('hear of what is put into the queue of poisoned messages, by whomever, and of nothing else', () => {
    const put = {
      OperationName: 'PutMessage',
      StatusText: 'Success',
      AccountName: 'shopfleet',
      Uri: 'https://shopfleet.queue.core.windows.net:443/keyturn-work-poison/messages',
    }
    const count = (more: Row): number => rowsOf('poison', { StorageQueueLogs: [{ ...put, ...more }] }).length
    assert.equal(count({}), 1)
    for (const other of [
      { Uri: 'https://shopfleet.queue.core.windows.net:443/keyturn-work/messages' },
      { AccountName: 'another' },
      { StatusText: 'AuthorizationPermissionMismatch' },
      { OperationName: 'GetMessages' },
    ])
      assert.equal(count(other), 0, JSON.stringify(other))
  })

  it('tell the groups that are named, and judge by what the service can count', () => {
    assert.deepEqual([...alerts.keys()].sort(), ['dead_letters', 'held', 'overdue', 'poison', 'silent', 'stuck', 'unreadable'])
    for (const [name, body] of alerts) {
      assert.deepEqual(blocksOf(body, 'action'), [{ action_groups: '${var.action_groups}' }], name)
      const { operator, threshold, time_aggregation_method: by, metric_measure_column: column } = blockOf(body, 'criteria')
      const wanted = name === 'silent' ? ['LessThan', 1, 'Total', 'looks'] : ['GreaterThan', 0, 'Count', undefined]
      assert.deepEqual([operator, threshold, by, column], wanted, name)
    }
    const shown = [...readPage().matchAll(/^\| `([a-z-]+)(?:-VAULT)?` \| [^|]+ \|$/gm)].map(([, name = '']) => name.replace('-', '_'))
    for (const name of [...alerts.keys(), 'events']) assert.ok(shown.includes(name), name)
  })

  it('look over windows that the service takes, and that have enough looks in them', () => {
    const taken = ['PT5M', 'PT10M', 'PT15M', 'PT30M', 'PT45M', 'PT1H', 'PT2H', 'PT3H', 'PT4H', 'PT5H', 'PT6H', 'P1D', 'P2D']
    const windows = module.locals.get('windows') as readonly { readonly minutes: number; readonly name: string }[]
    for (const { name, minutes } of windows) assert.equal(taken.includes(name) && minutesOf(name), minutes)
    const least = { two_looks: (every: number) => 2 * every, silence: (every: number) => Math.max(30, 3 * every) }
    for (const [name, from] of Object.entries({ two_looks: '2 * var.look_minutes', silence: 'max(30, 3 * var.look_minutes)' }))
      assert.equal(module.locals.get(name), `\${[for one in local.windows : one.name if one.minutes >= ${from}][0]}`)
    for (const every of [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60])
      for (const of of Object.values(least)) assert.ok(windows.some(({ minutes }) => minutes >= of(every)))
    for (const hours of [1, 2, 3, 4, 5, 6, 24, 48]) assert.ok(taken.includes(hours < 24 ? `PT${hours}H` : `P${hours / 24}D`))
    assert.equal(alerts.get('held')?.window_duration, '${var.held_hours < 24 ? "PT${var.held_hours}H" : "P${var.held_hours / 24}D"}')
  })

  it('keep to a form that the judge understands', () => {
    for (const wrong of ['T\n| take 5', 'T\n| where a == 1 or b == 2', 'T\n| where a startswith "x"', 'T\n| summarize count() by a', 'U'])
      assert.throws(() => queried(wrong, { T: [{}] }), /not understood|no table/)
  })
})

const readPage = (): string => readFileSync('docs/azure.md', 'utf8')
const minutesOf = (window: string): number => {
  const [, days, hours, minutes] = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(window) ?? assert.fail(window)
  return Number(days ?? 0) * 1440 + Number(hours ?? 0) * 60 + Number(minutes ?? 0)
}
