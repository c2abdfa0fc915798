import type { Change, Consumer as Configured, Notifier } from '../../shared/core/ports/notifier.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { effect } from './faults.js'
import { laterMs, type World } from './world.js'

/** prompt: follows when it is told. late: two looks after. skips: misses every second publication. away: for a week. never: not at all. */
export type Habit = 'prompt' | 'late' | 'skips' | 'away' | 'never'
const weekMs = 7 * 86_400_000

/** A workload that logs in with what it last read; what it was told is kept in order. */
export class Consumer {
  readonly name: string
  readonly habit: Habit
  readonly required: boolean
  /** The credential that it uses. */
  user: string
  version = 'first'
  readonly told: Change[] = []
  #followAt: number | undefined
  #heard = new Set<string>()

  constructor(name: string, habit: Habit, required: boolean, user: string) {
    this.name = name
    this.habit = habit
    this.required = required
    this.user = user
  }

  hear(change: Change, now: number): void {
    this.told.push(change)
    const fresh = !this.#heard.has(change.id)
    this.#heard.add(change.id)
    const wait = { prompt: 0, late: 2 * laterMs, skips: this.#heard.size % 2 === 1 ? undefined : 0, away: weekMs, never: undefined }[
      this.habit
    ]
    if (fresh && wait !== undefined) this.#followAt = now + wait
    // One that missed a publication follows once it is asked for the second time, long after.
    if (!fresh && this.habit === 'skips') this.#followAt ??= now + 3 * laterMs
  }

  /** It will not follow by itself any more: whatever it waits for has come. */
  get settled(): boolean {
    return this.#followAt === undefined
  }

  /** Reads what is current now, if its time has come. */
  async live(world: World): Promise<void> {
    if (this.#followAt === undefined || world.env.time < this.#followAt) return
    this.#followAt = undefined
    const state = await world.store.describe(world.ref)
    if (state.current === undefined) return
    this.version = state.current.id
    this.user = (JSON.parse(await world.currentText()) as { username: string }).username
  }
}

/** Consumers of a world behind one notifier, whose every delivery is an effect that may fail. */
export function addConsumers(world: World, habits: readonly (readonly [Habit, boolean])[]): readonly Consumer[] {
  const first = (JSON.parse(world.firstValue) as { username: string }).username
  const consumers = habits.map(([habit, required], index) => new Consumer(`c${index}-${habit}`, habit, required, first))
  const configured = consumers.map(
    ({ name, required }): Configured => ({ key: name, kind: 'memory', required, settings: new SecretText('{}') }),
  )
  world.configuration = { ...noConfiguration, consumers: Object.fromEntries(configured.map((consumer) => [consumer.key, consumer])) }
  const notifier: Notifier = {
    kind: 'memory',
    preflight: async () => ({ verdict: 'ok' }),
    advance: async (change, { key }) => {
      const consumer = consumers.find(({ name }) => name === key)
      if (consumer === undefined) throw new Error(`no consumer ${key}`)
      await effect(
        `notify.${consumer.habit}`,
        () => consumer.hear(change, world.env.time),
        (name) => world.watch(name),
      )
      await consumer.live(world)
      return { phase: consumer.version === change.version ? 'drained' : 'requested', evidence: `on ${consumer.version}` }
    },
    classify: () => 'internal',
  }
  world.loadNotifier = async () => notifier
  return consumers
}
