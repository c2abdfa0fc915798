import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { RotationError } from '../../shared/core/errors.js'
import type { Policy } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { statusOf } from '../../shared/lifecycle/fleet/status.js'
import { recover } from '../../shared/lifecycle/rotation/recover.js'
import { loadRotator, type RotatorKind } from '../../shared/rotators/registry.js'
import { startProcess } from './faults.js'
import type { AnyPlane, PlaneKind, PlanePoint, PlaneWorld } from './plane-point.js'
import { logsIn } from './postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from './postgres-server.js'
import { arrangeRoles, firstPassword } from './postgres-world.js'
import { laterMs } from './world.js'

/** What is promised of a control plane, whichever it is. */
export interface Subject<K extends PlaneKind> {
  readonly rotator: RotatorKind
  world(): PlaneWorld
  open(kind: K, more?: object, policy?: Policy): Promise<PlanePoint>
  /** By the answer, of either engine. */
  readonly mysql: K
  readonly postgres: K
  /** The method of the call that sets a password. */
  readonly sets: string
  /** The faults that say that the server is at another operation. */
  readonly busy: readonly string[]
  /** The fault that asks for fewer calls. */
  readonly throttle: string
  /** As errors name it. */
  readonly service: string
  /** How the id of the server begins. */
  readonly shown: string
  /** How a person looks at operations. */
  readonly look: string
  /** What is asked of the platform for one change: the calls up to the one that sets the password, its body, and how the path of a look at the operation begins. */
  asks(
    kind: K,
    password: string,
  ): { readonly calls: readonly (readonly [method: string, path: string])[]; readonly body: object; readonly operation: string }
}
const noServer = binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS'

export const run = (point: PlanePoint, request: Parameters<PlanePoint['run']>[1] = {}, given?: SecretText) => {
  point.env.time += laterMs
  return point.run(startProcess('one'), request, given)
}

/** The error with all that it says; no password that was stored or sent is in it. */
export async function refusedAt(double: AnyPlane, running: Promise<unknown>, code: string, text: RegExp): Promise<RotationError> {
  const cause = await running.then(
    () => assert.fail('it was done'),
    (one: unknown) => one,
  )
  assert.ok(cause instanceof RotationError, String(cause))
  assert.equal(cause.code, code, `${cause.message} ${cause.next}`)
  assert.match(`${cause.message} ${cause.next}`, text)
  const said = inspect([cause, cause.cause], { depth: 8 })
  for (const { password } of double.operations) assert.ok(!said.includes(password))
  assert.ok(!said.includes(firstPassword))
  return cause
}

const passwordsSent = (double: AnyPlane): number => new Set(double.operations.map(({ password }) => password)).size

/** Where no network path leads to the database. */
export function itRotatesByAnswer<K extends PlaneKind>(subject: Subject<K>): void {
  const { world, open, mysql, postgres, sets, service, shown, look } = subject
  const refused = (running: Promise<unknown>, code: string, text: RegExp) => refusedAt(world().double, running, code, text)

  for (const kind of [mysql, postgres])
    it(`${kind.name}: sends the password once, in the body alone, and publishes it once the operation is done`, async () => {
      const [point, { double }] = [await open(kind), world()]
      const { outcome, steps } = await run(point)
      assert.deepEqual([outcome, steps], ['published', ['create', 'set', 'test', 'finish']])
      const password = await point.password()
      assert.equal(point.has, password)
      assert.deepEqual([double.operations.length, double.sent], [1, 1])
      const { calls, body, operation } = subject.asks(kind, password)
      const made = double.calls.map(({ method, path }) => [method, path] as const)
      assert.deepEqual(made.slice(0, calls.length), calls)
      const looks = made.slice(calls.length)
      assert.ok(looks.length > 1 && looks.every(([method, path]) => method === 'GET' && path.startsWith(operation)))
      assert.deepEqual(JSON.parse(double.calls[calls.length - 1]?.body ?? ''), body)
      const said = JSON.stringify([point.audit, point.env.lines, made])
      assert.ok(!said.includes(password) && said.includes('proven_by_answer') && said.includes('password_sent'))
      assert.equal((await statusOf(point.deps('status'), point.ref.shown)).proof, 'answer')
    })

  it('an invocation that ends before the operation is done says so; the next one sends the same password again', async () => {
    const [point, { double }] = [await open(mysql), world()]
    double.runningMs = 30 * 60_000
    await refused(run(point), 'held', /not_propagated.*--resume after/)
    const { pending } = await point.store.describe(point.ref)
    assert.ok(pending?.hasValue)
    double.runningMs = 1000
    await run(point, { kind: 'resume' })
    assert.equal(passwordsSent(double), 1)
    assert.equal(point.has, await point.password())
  })

  it('waits while the server is at another operation', async () => {
    for (const fault of subject.busy) {
      const [point, { double }] = [await open(postgres), world()]
      let times = 3
      double.fault = ({ method }) => (method === sets && times-- > 0 ? fault : undefined)
      await run(point)
      assert.deepEqual([double.sent, double.operations.length], [4, 1])
      assert.ok(point.env.lines.some(({ code }) => code === 'instance_busy'))
    }
  })

  for (const how of ['at once', 'later'] as const)
    it(`a password that the rule of the server refuses ${how}: stuck, and a person puts the next one`, async () => {
      const [point, { double }] = [await open(mysql), world()]
      double.refuses = () => how
      const cause = await refused(run(point), 'stuck', /refuses the new password of app by its own rule.*No login can tell.*keyturn put/)
      assert.ok(!/complexity|does not meet|Specify/.test(cause.message), 'the words of the service may quote the password')
      assert.equal(point.has, firstPassword)
      const { action, done } = await point.act(startProcess('recover'), (deps) => recover(deps, point.store, point.ref.shown, true))
      assert.deepEqual([action.do, done], ['by hand', false])
      double.refuses = () => undefined
      const given = new SecretText(JSON.stringify({ host: 'db.invalid', username: 'app', password: 'Given-by-hand-0123456789' }))
      await run(point, { kind: 'put' }, given)
      assert.deepEqual([point.has, await point.password()], ['Given-by-hand-0123456789', 'Given-by-hand-0123456789'])
      assert.equal((await point.store.describe(point.ref)).journal?.code, undefined)
    })

  it('an operation that fails for another reason is begun again, with the same password', async () => {
    const [point, { double }] = [await open(postgres), world()]
    let times = 2
    double.refuses = () => (times-- > 0 ? 'broken' : undefined)
    await run(point)
    assert.equal(passwordsSent(double), 1)
    assert.deepEqual([double.operations.length, point.has], [3, await point.password()])
    for (const [how, code] of [
      ['broken', 'INTERNAL_ERROR'],
      ['unnamed', 'no code'],
      ['stopped', 'ABORTED'],
    ] as const) {
      const never = await open(postgres)
      double.refuses = () => how
      await refused(run(never), 'target_unreachable', new RegExp(`did not set the password of app \\(${code}\\).*${look}`))
      const { journal, pending } = await never.store.describe(never.ref)
      assert.deepEqual([journal?.code, pending?.hasValue], [undefined, true])
      assert.equal(passwordsSent(double), 1)
    }
  })

  it('a service that does not answer is a target out of reach: the rotation stays open, and goes on with the same password', async () => {
    const why = new RegExp(`${service} (could not be asked for|did not do what was asked for) ${shown}`)
    const { double } = world()
    for (const fault of ['cut', 'error', 'drop']) {
      const point = await open(mysql)
      double.fault = ({ method }) => (method === sets ? fault : undefined)
      await refused(run(point), 'target_unreachable', why)
      assert.ok((await point.store.describe(point.ref)).pending?.hasValue)
      double.fault = () => undefined
      await run(point, { kind: 'resume' })
      assert.equal(passwordsSent(double), 1)
      assert.equal(point.has, await point.password())
    }
    const throttled = await open(mysql)
    double.fault = () => subject.throttle
    await refused(run(throttled), 'throttled', /asks for fewer calls/)
  })

  it('goes back to the previous password by setting it', async () => {
    const point = await open(mysql)
    await run(point)
    point.env.time += laterMs * 8
    await point.act(startProcess('announce'), (deps) => announce(deps, point.ref.shown))
    await run(point, { kind: 'rollback' })
    assert.deepEqual([point.has, await point.password()], [firstPassword, firstPassword])
  })

  it('nobody sees or ends a session', async () => {
    const point = await open(mysql)
    const rotator = await loadRotator(subject.rotator)
    const { policy } = await point.store.describe(point.ref)
    const context = { ref: point.ref, token: point.token, policy, deadline: point.env.time + 1000, live: [], env: point.env }
    const { sessions } = rotator
    assert.deepEqual(await sessions?.usage(context, 'app' as never), {
      inUse: 'unknown',
      evidence: 'no network path leads to the database',
    })
    await refused(sessions?.end(context, 'app' as never) ?? Promise.resolve(), 'target_denied', /open sessions cannot be ended/)
    assert.equal(sessions?.endOnRetire({ ...policy, 'keyturn-sessions': 'end' }), false)
  })
}

/** Where a network path leads to a PostgreSQL. `more`: what only this platform promises. */
export function describeByLogin<K extends PlaneKind>(
  title: string,
  subject: Subject<K>,
  kindOf: (server: PostgresServer) => K,
  more: (kind: () => K) => void,
): void {
  describe(title, { skip: noServer }, () => {
    let server: PostgresServer
    before(async () => {
      server = await PostgresServer.start()
      await arrangeRoles(server)
    })
    after(async () => {
      await server?.stop()
      await removeCopies()
    })
    const kind = () => kindOf(server)
    itRotatesByLogin(subject, () => server, kind)
    more(kind)
  })
}

function itRotatesByLogin<K extends PlaneKind>(subject: Subject<K>, server: () => PostgresServer, kind: () => K): void {
  const { world, open } = subject
  const refused = (running: Promise<unknown>, code: string, text: RegExp) => refusedAt(world().double, running, code, text)

  it('tests the new password by a login before it is published', async () => {
    const point = await open(kind())
    const { outcome } = await run(point)
    assert.equal(outcome, 'published')
    assert.ok(await logsIn(server(), 'app', await point.password()))
    assert.deepEqual([world().double.sent, (await statusOf(point.deps('status'), point.ref.shown)).proof], [1, 'login'])
    assert.ok(!point.env.lines.some(({ code }) => code === 'proven_by_answer'))
  })

  it('the service says done, and the server does not take the password: kept as pending, and not published', async () => {
    const point = await open(kind())
    world().double.onEffect = async () => {}
    await refused(run(point), 'not_propagated', /not accepted everywhere yet/)
    const { pending } = await point.store.describe(point.ref)
    assert.ok(pending?.hasValue)
    assert.equal(await point.password(), firstPassword)
  })

  it('a password that the rule of the server refuses is given up, and another one is made', async () => {
    const [point, { double }] = [await open(kind()), world()]
    let times = 1
    double.refuses = () => (times-- > 0 ? 'later' : undefined)
    await run(point)
    assert.equal(passwordsSent(double), 2)
    assert.ok(await logsIn(server(), 'app', await point.password()))
  })

  it('a stored password that does not log in changes nothing at the server', async () => {
    const named = await open(kind(), { password: 'another-0123456789', engine: 'postgres' })
    await refused(run(named), 'target_denied', /neither the stored nor the new password of app; nothing was sent/)
    assert.equal(world().double.calls.length, 0)
  })
}
