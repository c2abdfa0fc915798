import assert from 'node:assert/strict'
import { it } from 'node:test'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import { sampler } from '../crash/sample.js'
import { Crash, type FaultMode, isReading, startProcess } from './faults.js'
import type { AnyPlane, PlaneKind, PlanePoint, PlaneWorld } from './plane-point.js'
import { firstPassword } from './postgres-world.js'
import { laterMs, type OpenStore } from './world.js'

const ways = ['same token', 'resume', 'new request'] as const
type Way = (typeof ways)[number]

/** What is killed, and what fails. */
export interface Killed<K extends PlaneKind> {
  readonly store: string
  readonly openStore: OpenStore
  /** One point of so many is drawn. */
  readonly every: number
  world(): PlaneWorld
  kinds(): readonly K[]
  open(openStore: OpenStore, kind: K): Promise<PlanePoint>
  /** Every way in which a call may end. Those that begin with "busy" are answers to the call that sets a password, and to no other. */
  readonly faults: readonly string[]
  /** The method of that call. */
  readonly sets: string
}

const requestOf = (point: PlanePoint, way: Way) =>
  ({ 'same token': { token: point.token }, resume: { kind: 'resume' }, 'new request': {} })[way] as { token?: typeof point.token }

/** What must hold however it went: it is published once, what is published is what the server has, and no password is anywhere else. */
async function settled(double: AnyPlane, point: PlanePoint, way: Way, what: string): Promise<void> {
  for (let count = 0; count < 6; count++) {
    point.env.time += laterMs
    const code = await point.run(startProcess(`next-${count}`), requestOf(point, way)).then(
      () => undefined,
      (cause: unknown) => codeOf(cause) ?? assert.fail(`${what}: ${String(cause)}`),
    )
    if (code === undefined || (code === 'held' && way !== 'same token')) break
    assert.ok(count < 5, `${what}: still ${code}`)
  }
  await double.settle()
  const password = await point.password()
  assert.equal(point.has, password, `${what}: the server has what is published`)
  const { journal, pending, current } = await point.store.describe(point.ref)
  assert.equal(journal?.code, undefined, what)
  assert.equal(pending?.hasValue ?? false, false, what)
  if (way === 'same token') assert.equal(journal?.rotation?.token ?? current?.ours, point.token, what)
  if (way !== 'resume') assert.notEqual(password, firstPassword, what)
  const sent = double.operations.map((one) => one.password)
  assert.ok(new Set(sent).size <= (way === 'new request' ? 2 : 1), `${what}: ${new Set(sent).size} passwords were sent`)
  assert.ok(sent.length <= 4, `${what}: ${sent.length} operations`)
  const said = JSON.stringify([point.audit, point.env.lines, double.calls.map(({ method, path }) => [method, path])])
  for (const one of [firstPassword, ...sent]) assert.ok(!said.includes(one), `${what}: a password is where it must not be`)
}

const dies = (what: string, running: Promise<unknown>): Promise<unknown> =>
  running.catch((cause: unknown) => assert.ok(cause instanceof Crash || cause instanceof RotationError, `${what}: ${String(cause)}`))

/** Kills a rotation before and after every call of the store and of the platform, and lets every call of the platform fail in every way. */
export function itSurvives<K extends PlaneKind>({ store, openStore, every, world, kinds, open, faults, sets }: Killed<K>): void {
  it(`${store}: killed before and after every call of either service`, async () => {
    const sample = sampler(every)
    let points = 0
    for (const kind of kinds()) {
      const dry = startProcess('dry')
      await (await open(openStore, kind)).run(dry)
      assert.ok(dry.effects.filter((name) => name === 'target.set').length === 1, dry.effects.join(' '))
      assert.ok(dry.effects.filter((name) => name === 'read target.operation').length > 1, dry.effects.join(' '))
      for (const [at, name] of dry.effects.entries())
        for (const [index, mode] of (isReading(name) ? ['before', 'lost'] : (['before', 'after', 'lost'] as const)).entries()) {
          if (!sample.take()) continue
          const way = ways[(at + index) % ways.length] ?? 'same token'
          const what = `${store}, ${kind.name}: ${mode} ${at} ${name}, ${way}`
          const point = await open(openStore, kind)
          await dies(what, point.run(startProcess('first', [{ at, mode: mode as FaultMode }])))
          await settled(world().double, point, way, what)
          points++
        }
    }
    assert.ok(points > 5, `${points} points`)
  })

  it(`${store}: every call of the platform fails in every way that it can`, async () => {
    const sample = sampler(every)
    const { double } = world()
    for (const kind of kinds()) {
      await (await open(openStore, kind)).run(startProcess('dry'))
      const calls = double.calls.map(({ method }) => method)
      for (const [index, method] of calls.entries())
        for (const fault of faults) {
          if ((fault.startsWith('busy') && method !== sets) || !sample.take()) continue
          for (const lasts of [1, 12]) {
            const way = ways[index % ways.length] ?? 'same token'
            const what = `${store}, ${kind.name}: ${fault} from call ${index + 1} (${method}) on, ${lasts} times, ${way}`
            const point = await open(openStore, kind)
            double.fault = (_, n) => (n > index && n <= index + lasts ? fault : undefined)
            await dies(what, point.run(startProcess('first')))
            double.fault = () => undefined
            await settled(double, point, way, what)
          }
        }
    }
  })
}
