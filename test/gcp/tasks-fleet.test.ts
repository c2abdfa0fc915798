import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { CloudTasks } from '../../functions/gcp/tasks.js'
import { RotationError } from '../../shared/core/errors.js'
import type { Consumer, Notifier } from '../../shared/core/ports/notifier.js'
import type { Work } from '../../shared/core/ports/queue.js'
import type { ConsumerPhase } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { look } from '../../shared/lifecycle/fleet/look.js'
import { perform } from '../../shared/lifecycle/fleet/work.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { CloudTasksDouble, type Fault, type Task } from '../harness/cloud-tasks.js'
import { GoogleMachine } from '../harness/gcp-machine.js'
import { World } from '../harness/world.js'

const queue = 'projects/p/locations/europe-west1/queues/work'
const url = 'https://work-abc.a.run.app/work'
const account = 'worker@p.iam.gserviceaccount.com'
const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** One secret whose work goes through Cloud Tasks: look → task → POST on loopback → perform, all by the clock of the test. */
class Fleet {
  readonly world: World
  readonly double: CloudTasksDouble
  readonly queue: CloudTasks
  readonly ends: string[] = []
  #phases: ConsumerPhase[] = []
  #event: string | undefined
  events = 0
  readonly #server: Server
  private constructor(world: World, double: CloudTasksDouble) {
    this.world = world
    this.double = double
    this.queue = new CloudTasks({ queue, url, account, env: world.env, endpoint: double.endpoint })
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const work = JSON.parse(Buffer.concat(chunks).toString()) as Work
      const { ends } = await world.act(world.newProcess(), (deps) => perform(deps, work, this.queue))
      this.ends.push(ends)
      response.writeHead(ends === 'redeliver' ? 503 : 200).end()
    })
  }
  static async open(seed: string): Promise<Fleet> {
    const policy = { 'keyturn-consumers': 'web', 'keyturn-grace': '30m', 'keyturn-every': '30d' }
    const world = await World.open('b', (env, effects) => new MemoryStore(env, profiles.gcp, effects), `tasks-${seed}`, policy)
    const fleet = new Fleet(world, await CloudTasksDouble.open(world.env.now))
    const web: Consumer = { key: 'web', kind: 'memory', required: true, settings: new SecretText('{}') }
    world.configuration = { ...noConfiguration, consumers: { web } }
    const notifier: Notifier = {
      kind: 'memory',
      preflight: async () => ({ verdict: 'ok' }),
      advance: async ({ id }) => fleet.#advance(id),
      classify: () => 'internal',
    }
    world.loadNotifier = async () => notifier
    await new Promise<void>((resolve) => fleet.#server.listen(0, '127.0.0.1', resolve))
    fleet.double.reaches.set(url, `http://127.0.0.1:${(fleet.#server.address() as AddressInfo).port}`)
    await world.act(world.newProcess(), (deps) => announce(deps, world.ref.shown))
    await fleet.pass(20)
    return fleet
  }
  /** A consumer that is one phase further at each look. */
  #advance(id: string) {
    if (this.#event !== id) {
      this.#event = id
      this.events++
      this.#phases = ['requested', 'synced']
    }
    const phase = this.#phases.shift() ?? 'drained'
    return { phase, evidence: phase, ...(phase === 'drained' ? {} : { again: this.world.env.time + minuteMs }) }
  }
  /** So many minutes: at each one two looks at once, and two deliverers that each deliver what is due in the order that is given. */
  async pass(minutes: number, order?: (due: readonly Task[]) => readonly Task[]): Promise<void> {
    for (let minute = 0; minute < minutes; minute++) {
      await Promise.all([this.#look(), this.#look()])
      await Promise.all([this.double.dispatch(order), this.double.dispatch(order)])
      this.world.env.time += minuteMs
    }
  }
  /** A look whose queue is away ends there; the next one goes on. */
  async #look(): Promise<void> {
    const failures: unknown[] = []
    await this.world
      .act(this.world.newProcess(), async (deps) => {
        for await (const { failure } of look(deps, this.queue)) if (failure !== undefined) failures.push(failure)
      })
      .catch((cause: unknown) => {
        if (!(cause instanceof RotationError) || cause.remedy !== 'retry') throw cause
      })
    assert.deepEqual(failures, [])
  }
  async close(): Promise<void> {
    await this.double.close()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

describe('a fleet over Cloud Tasks', () => {
  let machine: GoogleMachine
  before(async () => {
    machine = await GoogleMachine.open()
  })
  after(() => machine.close())

  for (const seed of ['1', '2', '3'])
    it(`goes from the due date to the retired login, with duplicates, delays, a random order and faults (${seed})`, async () => {
      const fleet = await Fleet.open(seed)
      const { world, double } = fleet
      const chance = () => (world.env.random(1)[0] ?? 0) / 256
      const faults: readonly Fault[] = ['lost', 'cut', 503, 429]
      double.fault = () => (chance() < 0.3 ? faults[Math.floor(chance() * faults.length)] : undefined)
      const [logins, events] = [world.target.logins.length, fleet.events]
      world.env.time += 31 * dayMs
      await fleet.pass(150, (due) =>
        [...due, ...due]
          .filter(() => chance() < 0.7)
          .map((task) => ({ task, at: chance() }))
          .sort((a, b) => a.at - b.at)
          .map(({ task }) => task),
      )
      const state = await world.store.describe(world.ref)
      assert.equal(await world.published(), 1)
      assert.equal(fleet.events, events + 1)
      assert.deepEqual([state.journal?.retiring, state.journal?.seen?.web?.phase], [[], 'drained'])
      assert.ok(world.target.logins.length > logins)
      assert.deepEqual(world.broken, [])
      const statuses = double.calls.map(({ status }) => status)
      for (const status of [200, 409, 503, undefined]) assert.ok(statuses.includes(status), `no call ended with ${status}`)
      assert.ok(double.deliveries.length > new Set(double.deliveries.map(({ name }) => name)).size, 'nothing came twice')
      await fleet.close()
    })
})
