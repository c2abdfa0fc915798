import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import { sampler } from '../crash/sample.js'
import { settingFor } from '../crash/settings.js'
import type { SqlFault } from '../harness/cloud-sql.js'
import { byAnswer, CloudSqlPoint, CloudSqlWorld, type Kind } from '../harness/cloud-sql-point.js'
import { Crash, type FaultMode, isReading, startProcess } from '../harness/faults.js'
import { watchedGcp } from '../harness/gcp-watched.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { laterMs, type OpenStore } from '../harness/world.js'

const noServer = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'
const ways = ['same token', 'resume', 'new request'] as const
type Way = (typeof ways)[number]
const faults: readonly SqlFault[] = ['cut', 'drop', 'throttle', 'quota', 'error', 'busy', 'busy 403']

describe('a rotation through the Admin API of Cloud SQL', () => {
  const watched = watchedGcp()
  const stores: readonly (readonly [name: string, open: OpenStore, every: number])[] = [
    ['memory, as Secret Manager', settingFor('gcp', 'a').openStore, 1],
    ['Secret Manager', watched.openReads ?? watched.open, 12],
  ]
  let world: CloudSqlWorld
  let server: PostgresServer | undefined
  before(async () => {
    world = await CloudSqlWorld.open()
    if (noServer) return
    server = await PostgresServer.start()
    await arrangeRoles(server)
  })
  after(async () => {
    await world.close()
    await watched.close?.()
    await server?.stop()
    await removeCopies()
  })

  const requestOf = (point: CloudSqlPoint, way: Way) =>
    ({ 'same token': { token: point.token }, resume: { kind: 'resume' }, 'new request': {} })[way] as { token?: typeof point.token }

  /** What must hold however it went: it is published once, what is published is what the instance has, and no password is anywhere else. */
  async function settled(point: CloudSqlPoint, way: Way, what: string): Promise<void> {
    for (let count = 0; count < 6; count++) {
      point.env.time += laterMs
      const code = await point.run(startProcess(`next-${count}`), requestOf(point, way)).then(
        () => undefined,
        (cause: unknown) => codeOf(cause) ?? assert.fail(`${what}: ${String(cause)}`),
      )
      if (code === undefined || (code === 'held' && way !== 'same token')) break
      assert.ok(count < 5, `${what}: still ${code}`)
    }
    await world.double.settle()
    const password = await point.password()
    assert.equal(point.has, password, `${what}: the instance has what is published`)
    const { journal, pending, current } = await point.store.describe(point.ref)
    assert.equal(journal?.code, undefined, what)
    assert.equal(pending?.hasValue ?? false, false, what)
    if (way === 'same token') assert.equal(journal?.rotation?.token ?? current?.ours, point.token, what)
    if (way !== 'resume') assert.notEqual(password, firstPassword, what)
    const sent = world.double.operations.map((one) => one.password)
    assert.ok(new Set(sent).size <= (way === 'new request' ? 2 : 1), `${what}: ${new Set(sent).size} passwords were sent`)
    assert.ok(sent.length <= 4, `${what}: ${sent.length} operations`)
    const said = JSON.stringify([point.audit, point.env.lines, world.double.calls.map(({ method, path }) => [method, path])])
    for (const one of [firstPassword, ...sent]) assert.ok(!said.includes(one), `${what}: a password is where it must not be`)
  }
  const dies = (what: string, running: Promise<unknown>): Promise<unknown> =>
    running.catch((cause: unknown) => assert.ok(cause instanceof Crash || cause instanceof RotationError, `${what}: ${String(cause)}`))

  const kinds = (): readonly Kind[] => [
    byAnswer('MYSQL_8_0'),
    byAnswer('POSTGRES_16'),
    ...(server === undefined ? [] : [{ name: 'POSTGRES, by login', version: 'POSTGRES_18', policy: {}, server }]),
  ]

  for (const [store, openStore, every] of stores) {
    it(`${store}: killed before and after every call of either service`, async () => {
      const sample = sampler(every)
      let points = 0
      for (const kind of kinds()) {
        const dry = startProcess('dry')
        await (await CloudSqlPoint.open(world, openStore, kind)).run(dry)
        assert.ok(dry.effects.filter((name) => name === 'target.set').length === 1, dry.effects.join(' '))
        assert.ok(dry.effects.filter((name) => name === 'read target.operation').length > 1, dry.effects.join(' '))
        for (const [at, name] of dry.effects.entries())
          for (const [index, mode] of (isReading(name) ? ['before', 'lost'] : (['before', 'after', 'lost'] as const)).entries()) {
            if (!sample.take()) continue
            const way = ways[(at + index) % ways.length] ?? 'same token'
            const what = `${store}, ${kind.name}: ${mode} ${at} ${name}, ${way}`
            const point = await CloudSqlPoint.open(world, openStore, kind)
            await dies(what, point.run(startProcess('first', [{ at, mode: mode as FaultMode }])))
            await settled(point, way, what)
            points++
          }
      }
      assert.ok(points > 5, `${points} points`)
    })

    it(`${store}: every call of the Admin API fails in every way that it can`, async () => {
      const sample = sampler(every)
      for (const kind of kinds()) {
        await (await CloudSqlPoint.open(world, openStore, kind)).run(startProcess('dry'))
        const calls = world.double.calls.map(({ method }) => method)
        for (const [index, method] of calls.entries())
          for (const fault of faults) {
            if ((fault.startsWith('busy') && method !== 'PUT') || !sample.take()) continue
            for (const lasts of [1, 12]) {
              const way = ways[index % ways.length] ?? 'same token'
              const what = `${store}, ${kind.name}: ${fault} from call ${index + 1} (${method}) on, ${lasts} times, ${way}`
              const point = await CloudSqlPoint.open(world, openStore, kind)
              world.double.fault = (_, n) => (n > index && n <= index + lasts ? fault : undefined)
              await dies(what, point.run(startProcess('first')))
              world.double.fault = () => undefined
              await settled(point, way, what)
            }
          }
      }
    })
  }
})
