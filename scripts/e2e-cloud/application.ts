import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { logsIn } from '../../test/harness/postgres-client.js'
import type { PostgresServer } from '../../test/harness/postgres-server.js'
import { key, type WebhookServer } from '../../test/harness/webhook-server.js'
import type { CloudWorld } from './world.js'

interface Login {
  readonly username: string
  readonly password: string
}
interface Event {
  readonly id: string
  readonly data: { readonly ref: string; readonly version: string; readonly resource: string; readonly sequence: number }
}

/** An application that logs in without pause. It hears of changes by a webhook, reads the version that the event names, and says so once it uses that one. */
export class Application {
  logins = 0
  failures = 0
  /** When it stopped using each login, in the time of the world. */
  readonly left = new Map<string, number>()
  /** The ids of the events that it got, by secret. */
  readonly events = new Map<string, string[]>()
  readonly #world: CloudWorld
  readonly #server: PostgresServer
  readonly #newest = new Map<string, number>()
  #login: Login
  #isEnding = false
  #running: Promise<void> | undefined
  constructor(world: CloudWorld, server: PostgresServer, hook: WebhookServer) {
    this.#world = world
    this.#server = server
    this.#login = JSON.parse(world.read('db')) as Login
    hook.answer = ({ body }, response) => {
      const event = JSON.parse(body) as Event
      this.#follow(event)
      const answer = JSON.stringify({ type: 'keyturn.receipt', id: event.id, phase: 'drained' })
      response.writeHead(200, this.#signed(event.id, answer)).end(answer)
    }
  }
  start(): void {
    this.#running = this.#run()
  }
  async end(): Promise<void> {
    this.#isEnding = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isEnding) {
      const { username, password } = this.#login
      if (await logsIn(this.#server, username, password)) this.logins++
      else this.failures++
      await delay(25)
    }
  }
  #follow({ id, data }: Event): void {
    const secret = data.ref.split('/').at(-1) ?? data.ref
    this.events.set(secret, [...(this.events.get(secret) ?? []), id])
    if (data.sequence < (this.#newest.get(secret) ?? 0)) return
    this.#newest.set(secret, data.sequence)
    const text = this.#world.read(secret, data.resource.split('/').at(-1))
    if (secret !== 'db') return
    const login = JSON.parse(text) as Login
    if (login.username !== this.#login.username) this.left.set(this.#login.username, this.#world.now())
    this.#login = login
  }
  #signed(id: string, body: string): Readonly<Record<string, string>> {
    const time = String(Math.floor(this.#world.now() / 1000))
    const mac = createHmac('sha256', Buffer.from(key.replace('whsec_', ''), 'base64'))
    const signature = mac.update(`${id}.${time}.${body}`).digest('base64')
    return { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': `v1,${signature}` }
  }
}
