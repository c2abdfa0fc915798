import type { Deployed, Ended, FunctionName } from './gcp-deployed.js'
import type { GcpFleet } from './gcp-fleet.js'

/** One function whose process is told to end again and again. The next process is there by then, as on a platform that has several instances. */
export class Relay {
  readonly #fleet: GcpFleet
  readonly #name: FunctionName
  readonly #ends: Promise<Ended>[] = []
  readonly #started: Deployed[] = []
  #current: Deployed
  #next: Promise<Deployed>
  private constructor(fleet: GcpFleet, name: FunctionName, current: Deployed) {
    this.#fleet = fleet
    this.#name = name
    this.#current = current
    this.#started.push(current)
    this.#next = this.#start()
  }
  static open = async (fleet: GcpFleet, name: FunctionName): Promise<Relay> => new Relay(fleet, name, await fleet.start(name))

  /** Who is called now. */
  get current(): Deployed {
    return this.#current
  }
  /** What all its processes have written. */
  get log(): string {
    return this.#started.map(({ log }) => log).join('\n')
  }
  /** Tells the process to end, in the middle of whatever it does; from now on the next one is called. Does not wait for its end. */
  async end(): Promise<void> {
    const last = this.#current
    this.#current = await this.#next
    this.#next = this.#start()
    this.#ends.push(last.signal('SIGTERM'))
  }
  /** How the processes have ended that were told to. */
  async ends(): Promise<readonly Ended[]> {
    await this.#next
    return Promise.all(this.#ends)
  }

  async #start(): Promise<Deployed> {
    const started = await this.#fleet.start(this.#name)
    this.#started.push(started)
    return started
  }
}
