import assert from 'node:assert/strict'
import { mock } from 'node:test'
import type { SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { type Deps, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import type { OpenedStore } from '../../shared/stores/registry.js'
import type { FakeEnv } from './fake-env.js'
import { MemoryQueue } from './memory-queue.js'

const dayMs = 86_400_000
export const printingKinds = ['rotate', 'sweep', 'work', 'invoke'] as const
export type PrintingKind = (typeof printingKinds)[number]

/** One line that a function printed on stderr. */
export interface PrintedLine {
  /** What the run was about when the line was printed. */
  readonly stage: string
  readonly by: PrintingKind
  readonly line: string
  /** When, by the clock of the test. */
  readonly at: number
}

/** The functions of a platform over one store. */
export interface Printing {
  readonly store: OpenedStore
  readonly env: FakeEnv
  /** Calls a function as its platform does. What it throws is its answer. */
  call(by: PrintingKind, body: unknown): Promise<unknown>
  /** What tells rotate that the secret is due. `at`: epoch ms. */
  notice(ref: SecretRef, at: number): Promise<unknown>
  /** The same of a kind that nobody can read. */
  readonly strangeNotice: unknown
  /** Somebody writes the configuration, past the store. */
  setConfiguration(value: SecretText): void
  failListings(isFailing: boolean): void
}

/** One secret under four functions, with every line that they print: an ordinary month, and each state that somebody has to hear of. */
export class PrintedMonth {
  readonly printed: PrintedLine[] = []
  readonly queue = new MemoryQueue()
  #stage = ''

  /** Calls a function and keeps what it prints. */
  async #call({ call, env }: Printing, by: PrintingKind, body: unknown): Promise<void> {
    const lines: string[] = []
    const write = mock.method(process.stderr, 'write', (text: string) => lines.push(text) > 0)
    try {
      await call(by, body).catch(() => undefined)
    } finally {
      write.mock.restore()
    }
    for (const line of lines.join('').split('\n'))
      if (line.startsWith('{')) this.printed.push({ stage: this.#stage, by, line, at: env.time })
  }
  async #work(of: Printing): Promise<void> {
    for (const one of this.queue.take(of.env.time)) await this.#call(of, 'work', one)
  }

  /** The secret and its configuration. `target`: the name of its target, one for each test file. */
  async prepare({ store, env }: Printing, target: string): Promise<SecretRef> {
    const password = 'first-password-0123456789'
    const memory = new MemoryTarget()
    setMemoryTarget(target, memory)
    memory.accounts.set('app', password)
    const value = { engine: 'memory-a', target, username: 'app', password }
    const ref = await store.create('db', new SecretText(JSON.stringify(value)), {})
    await store.create('config', new SecretText('{}'), {})
    const deps: Deps = {
      store,
      loadRotator,
      loadNotifier: async () => assert.fail('no notifier'),
      infer: () => ({}),
      configuration: async () => noConfiguration,
      journal: true,
      readAdmin: async () => assert.fail('no administrator'),
      env,
      audit: { write: async () => {} },
      holder: 'a person',
      leaseMs: 60_000,
      shortGrace: true,
    }
    await adopt(deps, store, ref.shown, { 'keyturn-rotator': 'memory-a', 'keyturn-every': '30d', 'keyturn-grace': '1m' })
    return ref
  }

  async live(of: Printing, ref: SecretRef): Promise<void> {
    await this.#ordinary(of, ref)
    await this.#heldAndOverdue(of)
    await this.#troubles(of, ref)
  }

  async #ordinary(of: Printing, ref: SecretRef): Promise<void> {
    this.#stage = 'ordinary'
    for (let pass = 0; pass < 3; pass++) {
      await this.#call(of, 'sweep', '')
      await this.#work(of)
      of.env.time += 6 * 60_000
    }
    for (const action of ['verify', 'rotate', 'status', 'retire']) await this.#call(of, 'invoke', { action, ref: ref.shown })
    await this.#call(of, 'invoke', { action: 'explode' })
    const notice = await of.notice(ref, of.env.time + 1)
    of.env.time += dayMs
    await this.#call(of, 'rotate', notice)
    await this.#work(of)
  }

  async #heldAndOverdue(of: Printing): Promise<void> {
    const { env } = of
    const setConfiguration = (text: string): void => {
      of.setConfiguration(new SecretText(text))
      env.time += dayMs / 24 // past what a warm function keeps
    }
    this.#stage = 'held'
    setConfiguration('{"paused":true}')
    env.time += 30.3 * dayMs
    await this.#call(of, 'sweep', '')
    this.#stage = 'held and overdue'
    env.time += 2 * dayMs
    await this.#call(of, 'sweep', '')
    this.#stage = 'overdue'
    setConfiguration('{}')
    await this.#call(of, 'sweep', '')
    this.#stage = 'ordinary'
    await this.#work(of)
    await this.#call(of, 'sweep', '')
  }

  async #troubles(of: Printing, ref: SecretRef): Promise<void> {
    const { env, store } = of
    this.#stage = 'unreadable'
    await store.setPolicy(ref, { 'keyturn-every': 'soon' })
    env.time += dayMs
    await this.#call(of, 'sweep', '')
    await store.setPolicy(ref, { 'keyturn-every': '30d' })
    this.#stage = 'stuck'
    await store.note(await store.describe(ref), { code: 'stuck' })
    await this.#call(of, 'sweep', '')
    this.#stage = 'no look'
    of.failListings(true)
    await this.#call(of, 'sweep', '')
    of.failListings(false)
    this.#stage = 'dead letters'
    await this.#call(of, 'rotate', of.strangeNotice)
    await this.#call(of, 'work', { id: 'x', ref: 'y', action: 'steal', at: 1 })
  }
}

/** The stages of looks that came to their end. */
export const lookStages = ['ordinary', 'held', 'held and overdue', 'overdue', 'unreadable', 'stuck'] as const
/** In which stages each of our counters is not 0, or the line is printed. */
export const stagesOf: Readonly<Record<string, readonly string[]>> = {
  looked: lookStages,
  held: ['held', 'held and overdue'],
  overdue: ['held and overdue', 'overdue'],
  unreadable: ['unreadable'],
  stuck: ['stuck'],
  dead_letters: ['dead letters'],
}
/** The code of a line. */
export const logOf = ({ line }: PrintedLine): unknown => (JSON.parse(line) as { readonly log?: unknown }).log
/** Lines that a month has beside those that an alert is about. */
export const otherLogs = ['audit', 'decided', 'work_done', 'step_failed', 'overdue', 'held', 'stuck', 'look_failed'] as const
