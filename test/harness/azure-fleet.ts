import { setTimeout as delay } from 'node:timers/promises'
import { type AzurePackage, AzureProject } from './azure-app.js'
import type { FunctionHost } from './azure-host.js'
import type { EventGridEvent } from './key-vault/events.js'

interface Waiting {
  readonly name: 'rotate' | 'propagate'
  readonly event: EventGridEvent
}

/** A deployed function app whose vault has event subscriptions, as the Terraform module makes them. Time passes for all of it at once. */
export class AzureFleet {
  readonly project: AzureProject
  readonly host: FunctionHost
  readonly #clock: { aheadMs: number }
  /** What Event Grid still has to deliver. */
  readonly waiting: Waiting[] = []
  /** Every event that was delivered, as often as it was. */
  readonly delivered: EventGridEvent[] = []
  private constructor(project: AzureProject, host: FunctionHost, clock: { aheadMs: number }) {
    this.project = project
    this.host = host
    this.#clock = clock
  }
  static async open(made: AzurePackage, env: Readonly<Record<string, string>> = {}): Promise<AzureFleet> {
    const clock = { aheadMs: 0 }
    const project = await AzureProject.open(() => Date.now() + clock.aheadMs)
    await project.reset()
    const fleet = new AzureFleet(project, await project.start(made, env), clock)
    project.vault.onEvent = (event) => void fleet.waiting.push({ name: subscriberOf(event), event })
    return fleet
  }

  now = (): number => Date.now() + this.#clock.aheadMs
  /** Time passes everywhere; what becomes due in the vault by that is told. */
  async move(ms: number): Promise<void> {
    this.#clock.aheadMs += ms
    await Promise.all([this.project.blobs.moveClock(ms), this.project.queues.moveClock(ms)])
    this.host.setAhead(this.#clock.aheadMs)
    this.project.vault.tick()
  }

  /** Delivers what waits, the last first and each of it `times`, until the app has taken all of it. What is refused comes again. */
  async deliver(times = 1): Promise<void> {
    for (let attempts = 0; this.waiting.length > 0; attempts++) {
      if (attempts > 100) throw new Error('Events come again and again.')
      const all = this.waiting.splice(0).reverse()
      const sent = all.flatMap((one) => Array.from({ length: times }, () => one))
      const ends = await Promise.all(sent.map(async ({ name, event }) => this.host.deliver(name, [event]).catch(() => 0)))
      this.delivered.push(...sent.map(({ event }) => event))
      for (const [index, one] of sent.entries()) if (ends[index] !== 202) this.waiting.push(one)
      if (this.waiting.length > 0) await delay(50)
    }
  }
  /** Until no message waits that may be seen now, and nothing runs. */
  async settled(): Promise<void> {
    const queue = this.project.queues.client().getQueueClient('keyturn-work')
    for (let quiet = 0; quiet < 3; ) {
      const { peekedMessageItems: seen } = await queue.peekMessages({ numberOfMessages: 1 })
      quiet = this.host.isQuiet && seen.length === 0 ? quiet + 1 : 0
      await delay(60)
    }
  }
  async close(): Promise<string> {
    const said = await this.host.stop()
    await this.project.close()
    return said
  }
}

const subscriberOf = ({ eventType }: EventGridEvent): Waiting['name'] =>
  eventType === 'Microsoft.KeyVault.SecretNewVersionCreated' ? 'propagate' : 'rotate'
