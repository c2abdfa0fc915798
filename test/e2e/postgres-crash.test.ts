import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { codeOf } from '../../shared/core/errors.js'
import type { MemoryStore } from '../../shared/stores/memory.js'
import type { Setting } from '../crash/matrix.js'
import { sampler } from '../crash/sample.js'
import { settingOf, watchedStores } from '../crash/settings.js'
import { type Fault, startProcess } from '../harness/faults.js'
import { loginsIn, logsIn } from '../harness/postgres-client.js'
import { mayFail, PostgresPoint, type Strategy } from '../harness/postgres-point.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles } from '../harness/postgres-world.js'
import { laterMs } from '../harness/world.js'

const skip = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const troubles = ['before', 'after', 'lost', 'second holder', 'taken over'] as const
type Trouble = (typeof troubles)[number]
/** In turn, so that each meets every effect over all settings and strategies. */
const ways = ['same token', 'resume', 'new request', 'wiped, new request'] as const
type Way = (typeof ways)[number]
/** Every profile of a store, and the real file store; which class of the memory target it names does not matter here. */
const settings: readonly Setting[] = [...watchedStores.map((watched) => ({ ...settingOf(watched, 'a'), name: watched.name }))]

const strategies: readonly Strategy[] = [
  { name: 'replace', users: ['app'], policy: {} },
  { name: 'replace by an administrator', users: ['app'], policy: { 'keyturn-admin': 'memory:admin' } },
  {
    name: 'alternate',
    users: ['app_a', 'app_b'],
    policy: { 'keyturn-strategy': 'alternate', 'keyturn-pair': 'app_a app_b', 'keyturn-admin': 'memory:admin' },
  },
  {
    name: 'alternate, whose second login is made',
    users: ['app'],
    makes: 'app_clone',
    policy: { 'keyturn-strategy': 'alternate', 'keyturn-admin': 'memory:admin' },
  },
]

describe('crash matrix on a real server', { skip }, () => {
  let server: PostgresServer
  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  after(async () => {
    await server?.stop()
    await removeCopies()
  })
  function faultOf(opened: PostgresPoint, at: number, trouble: Trouble): Fault {
    const other = async (waits: number): Promise<void> => {
      opened.env.time += waits
      await mayFail('the second holder', opened.run(startProcess('other')))
    }
    if (trouble === 'second holder') return { at, mode: 'act', act: () => other(0) }
    if (trouble === 'taken over') return { at, mode: 'act', act: () => other(laterMs) }
    return { at, mode: trouble }
  }

  async function goOn(opened: PostgresPoint, setting: Setting, way: Way, what: string): Promise<void> {
    const { store, ref, token } = opened
    opened.env.time += laterMs
    server.clearLog()
    const request = way === 'same token' ? { token } : way === 'resume' ? { kind: 'resume' as const } : {}
    if (way === 'wiped, new request' && setting.memory) (store as MemoryStore).wipeJournal(ref)
    await opened
      .run(startProcess('next'), request)
      .catch((cause: unknown) => assert.ok(way !== 'same token' && codeOf(cause) === 'held', `${what}: ${codeOf(cause)}`))
    assert.ok(loginsIn(server.log).refused <= 1, `${what}: at most one refused login`)
  }

  async function point(setting: Setting, strategy: Strategy, at: number, trouble: Trouble, way: Way, what: string): Promise<void> {
    const opened = await PostgresPoint.open(server, setting, strategy)
    await mayFail(what, opened.run(startProcess('first', [faultOf(opened, at, trouble)])))
    const outgoing = await opened.current()
    if (strategy.policy['keyturn-strategy'] === 'alternate')
      assert.ok(await logsIn(server, outgoing.username, outgoing.password), `${what}: current works all the time`)
    await goOn(opened, setting, way, what)
    const { username, password } = await opened.current()
    assert.ok(await logsIn(server, username, password), `${what}: the stored current value logs in`)
    if (way === 'same token') assert.equal((await opened.store.describe(opened.ref)).current?.ours, opened.token, what)
  }

  const sample = sampler(8)
  for (const setting of settings) {
    for (const strategy of strategies) {
      it(`${setting.name} × ${strategy.name}: killed, overtaken and joined at every effect, and gone on with`, async () => {
        const dry = startProcess('dry')
        await (await PostgresPoint.open(server, setting, strategy)).run(dry)
        assert.ok(dry.effects.includes('apply') && dry.effects.length >= (setting.serviceDriven ? 3 : 4), dry.effects.join(' '))
        for (const [at, name] of dry.effects.entries()) {
          for (const [index, trouble] of troubles.entries()) {
            if (!sample.take()) continue
            const way = setting.serviceDriven ? 'same token' : (ways[(at + index) % ways.length] ?? 'same token')
            await point(setting, strategy, at, trouble, way, `${trouble} ${name}, ${way}`)
          }
        }
        await setting.close?.() // what a store is over may take a second to start
      })
    }
  }
})
