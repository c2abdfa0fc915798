import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { whole } from '../crash/sample.js'
import { eventsFilter, GcpFleet } from '../harness/gcp-fleet.js'
import { Relay } from '../harness/gcp-relay.js'
import type { Call, Fault } from '../harness/gcp-secret-manager.js'
import { logsIn } from '../harness/postgres-client.js'
import { binariesOf, PostgresServer, removeCopies } from '../harness/postgres-server.js'
import { arrangeRoles, firstPassword } from '../harness/postgres-world.js'
import { whyNoPubSub } from '../harness/pubsub.js'
import type { Forwarder } from '../harness/pubsub-forwarder.js'
import { suite } from '../harness/suite.js'

/** How many; KEYTURN_ENDS says another number. */
const ends = Number(process.env.KEYTURN_ENDS || (whole ? 40 : 8))
const seed = process.env.KEYTURN_SEED ?? 'sigterm'
/** From 0 to 1, for one question about the n-th end of this seed. */
const drawn = (question: string, n: number): number =>
  createHash('sha256').update(`${seed}/${question}/${n}`).digest().readUInt16BE(0) / 2 ** 16
/** At which call of Secret Manager, counted from the one before it, a process is told to end. */
const callsUntil = (n: number): number => 1 + Math.floor(30 * drawn('moment', n))

const login = (text: string) => JSON.parse(text) as { readonly username: string; readonly password: string }
const skip = whyNoPubSub() || (binariesOf(18) ? false : 'PostgreSQL 18 is not installed; npm ci does it on Linux and macOS')

suite('functions of Google Cloud that are told to end at random moments', skip, ({ it, before, after }) => {
  let server: PostgresServer
  let fleet: GcpFleet
  let rotate: Relay
  let work: Relay
  let sweep: Relay
  /** The same notices by two subscriptions, so that each comes twice. */
  let forwarders: readonly Forwarder[]
  const untested: string[] = []
  let calls = 0
  let looks = 0
  let moment: { readonly at: number; readonly come: () => void } | undefined

  before(async () => {
    server = await PostgresServer.start()
    await arrangeRoles(server)
    fleet = await GcpFleet.open()
    ;[rotate, work, sweep] = await Promise.all([Relay.open(fleet, 'rotate'), Relay.open(fleet, 'work'), Relay.open(fleet, 'sweep')])
    const { double, pubsub, project } = fleet
    const place = { engine: 'postgres', host: '127.0.0.1', port: server.port, dbname: 'postgres', sslmode: 'disable' }
    const value = JSON.stringify({ ...place, username: 'app', password: firstPassword })
    fleet.addSecret('db', value, { 'keyturn-rotator': 'postgres', 'keyturn-strategy': 'replace', 'keyturn-every': '30d' })
    await pubsub.settled()
    double.fault = onCall
    project.tasks.tombstoneMs = 0 // for the minutes after which a look may send the same again
    project.workIsAt(work.current.url)
    forwarders = await Promise.all(
      (['binary', 'push'] as const).map((form) => fleet.forwarder(form, () => rotate.current.url, { filter: eventsFilter })),
    )
  })
  after(async () => {
    await fleet?.close()
    await server?.stop()
    await removeCopies()
  })

  const works = (text: string): Promise<boolean> => logsIn(server, login(text).username, login(text).password)
  const published = (): readonly string[] => fleet.secret('db').versions.map(({ data }) => Buffer.from(data ?? '').toString())
  /** Counts, and holds each publication up until its value has logged in. */
  function onCall({ name, staging, request }: Call): Fault | undefined {
    calls++
    if (moment !== undefined && calls >= moment.at) moment.come()
    if (name !== 'AddSecretVersion' || staging) return undefined
    const { payload } = request as { readonly payload: { readonly data: Uint8Array } }
    const text = Buffer.from(payload.data).toString()
    return { delayed: works(text).then((does) => (does ? 0 : untested.push(login(text).username))) }
  }
  const comes = (after: number): Promise<void> =>
    new Promise((resolve) => {
      moment = { at: calls + after, come: resolve }
    })

  /** A look as often as the scheduler can call it, until it is stopped. */
  async function lookAround(isOver: () => boolean): Promise<void> {
    for (; !isOver(); looks++) {
      await sweep.current.post({}).catch(() => undefined) // its process was told to end
      await delay(1500)
    }
  }
  /** What the staging place says of the rotation; no value is in it. */
  const journal = (): string => fleet.secret('db--pending').annotations.get('keyturn-state') ?? '{}'
  /**
   * A notice as soon as the version of the one before is there, also while that rotation ends. Each asks for a rotation of its own, because it comes later.
   * Resolves to how many there were.
   */
  async function notify(isOver: () => boolean): Promise<number> {
    let notices = 0
    for (let since = looks; !isOver(); ) {
      assert.ok(looks - since < 100, `after 100 looks notice ${notices} has no version: ${published().length} versions, ${journal()}`)
      if (published().length > notices) {
        await fleet.notify('db')
        notices++
        since = looks
      }
      await delay(100)
    }
    return notices
  }
  async function endAgainAndAgain(isOver: () => boolean): Promise<void> {
    for (let n = 0; n < ends && !isOver(); n++) {
      await comes(callsUntil(n))
      const which = drawn('which', n)
      await (which < 0.5 ? rotate : which < 0.85 ? work : sweep).end()
      fleet.project.workIsAt(work.current.url)
    }
  }
  /** Every task, until none is left. */
  async function workOff(): Promise<void> {
    const { tasks } = fleet.project
    for (let passes = 0; tasks.tasks.size > 0; passes++) {
      assert.ok(passes < 200, 'tasks are delivered again and again')
      await tasks.dispatch()
      await delay(50)
    }
  }
  const look = async (): Promise<unknown> => JSON.parse((await sweep.current.post({})).text)

  it(`${ends} of them: one look and its work converge, and no value was ever current that does not log in`, async () => {
    for (const one of forwarders) one.start(150)
    fleet.project.tasks.run(150)
    let over = false
    const isOver = () => over
    const end = () => {
      over = true // for all of them
    }
    const [notices] = await Promise.all([notify(isOver).finally(end), lookAround(isOver), endAgainAndAgain(isOver).finally(end)])
    for (const one of forwarders) await one.stop()
    for (const one of forwarders) await one.drain()
    await workOff()
    await look()
    await workOff()

    assert.equal(published().length, 1 + notices, 'one version for each notice')
    assert.deepEqual(untested, [])
    assert.ok(await works(published().at(-1) ?? ''))
    const { oldestSeconds: _, ...looked } = (await look()) as Readonly<Record<string, unknown>>
    const still = { stuck: 0, held: 0, overdue: 0 }
    assert.deepEqual(looked, { secrets: 1, sent: 0, failed: 0, ...still, complete: true }, 'nothing is left to do')
    const ended = (await Promise.all([rotate, work, sweep].map((one) => one.ends()))).flat()
    assert.deepEqual(
      ended.filter(({ code, signal }) => code !== 0 || signal !== null),
      [],
    )
    assert.equal(ended.length, ends)
    const answers = [...forwarders.flatMap(({ pushed }) => pushed), ...fleet.project.tasks.deliveries].map(({ status }) => status)
    assert.ok(
      answers.some((status) => status === 500 || status === 503),
      'no process was told to end in the middle of anything',
    )
    const said = [rotate, work, sweep].map(({ log }) => log).join('\n')
    for (const text of published()) assert.ok(!said.includes(login(text).password))
  })
})
