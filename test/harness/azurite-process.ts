import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { repository } from './repository.js'

/** The account of every emulator of Azure Storage. Both are published, and the same everywhere. */
export const azuriteAccount = 'devstoreaccount1'
export const azuriteKey = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=='

/** Which of its servers. */
type Service = 'blob' | 'queue'
export const azuriteProgram = (service: Service): string =>
  join(repository, `test/servers/node_modules/azurite/dist/src/${service}/main.js`)

const wordsOf = (service: Service): readonly string[] => [
  '--inMemoryPersistence', // no file, wherever it is started
  '--disableTelemetry', // else it calls home
  '--silent',
  '--skipApiVersionCheck', // the client is newer than what this version of it knows
  `--${service}Host`,
  '127.0.0.1',
  `--${service}Port`,
  '0', // a port that was chosen before may be somebody else's by then
]

type Started = readonly [child: ChildProcess, ended: Promise<unknown>, origin: string]

/** Starts one of its servers; resolves when that listens. */
export async function startAzurite(service: Service): Promise<Started> {
  const loaded = ['--require', join(repository, 'test/harness/azurite-clock.cjs'), azuriteProgram(service)]
  // Variables of its own would give it other accounts, or another place to keep what it has.
  const env = { PATH: process.env.PATH ?? '' }
  const words = [...loaded, ...wordsOf(service)]
  const child = spawn(process.execPath, words, { cwd: tmpdir(), env, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  if (child.stdout === null) throw new Error('Azurite has no output.')
  for await (const line of createInterface(child.stdout)) {
    const [, origin] = /successfully listens on (http:\S+)$/.exec(line) ?? []
    if (origin !== undefined) return [child, ended, origin]
  }
  throw new Error(`Azurite did not start (${JSON.stringify(await ended)}).`)
}

/** A server of Microsoft's own emulator of Azure Storage, on loopback without TLS; nothing it keeps outlives its process. */
export class AzuriteProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  /** Where its account is: `http://127.0.0.1:…/devstoreaccount1`. */
  readonly endpoint: string
  #aheadMs = 0
  #moved: Promise<void> = Promise.resolve()

  protected constructor(...[child, ended, origin]: Started) {
    this.#child = child
    this.#ended = ended
    this.endpoint = `${origin}/${azuriteAccount}`
  }

  /** What its clock shows. */
  get now(): number {
    return Date.now() + this.#aheadMs
  }
  /**
   * Moves its clock by so much, from where it is; resolves when it is in force. What it answers is dated, and what it leases or hides is over, by that clock.
   */
  moveClock = (ms: number): Promise<void> => this.#setAhead(this.#aheadMs + ms)
  /** Its clock goes on from this time. */
  setClock = (epochMs: number): Promise<void> => this.#setAhead(epochMs - Date.now())
  /** It sends back each message that it has obeyed, in the order in which they came. */
  #setAhead(aheadMs: number): Promise<void> {
    this.#aheadMs = aheadMs
    const move = async (): Promise<void> => {
      const obeyed = once(this.#child, 'message')
      this.#child.send({ aheadMs })
      if ((await Promise.race([obeyed, this.#ended.then(() => undefined)])) === undefined) throw new Error('Azurite has ended.')
    }
    this.#moved = this.#moved.then(move)
    return this.#moved
  }

  /** At once, also while it still answers somebody: it has nothing to keep. */
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}
