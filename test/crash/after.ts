import { RotationError } from '../../shared/core/errors.js'
import type { Token, VersionId } from '../../shared/core/ports/words.js'
import type { Deps } from '../../shared/lifecycle/secret/deps.js'
import { addConsumers, type Consumer, type Habit } from '../harness/consumers.js'
import { Crash, type FakeProcess, type Fault } from '../harness/faults.js'
import type { Readers } from '../harness/stores.js'
import { laterMs, World } from '../harness/world.js'
import type { Setting } from './matrix.js'

/** What is promised of everything after a publication. */
export interface AfterBroken {
  readonly lockouts: string[]
  readonly lostEvents: string[]
  readonly retiredInUse: string[]
  readonly other: string[]
}
export const nothingBrokenAfter = (): AfterBroken => ({ lockouts: [], lostEvents: [], retiredInUse: [], other: [] })

/** One invocation of a story, run in a process of its own. */
export type Deed = (story: Story, process: FakeProcess) => Promise<unknown>

interface Publication {
  readonly version: VersionId
  readonly user: string
  /** Somebody went past it on purpose: an emergency, a rollback, a foreign write. */
  overtaken: boolean
}

/** A world with consumers, and everything that was ever published in it. */
export class Story {
  readonly world: World
  readonly consumers: readonly Consumer[]
  readonly setting: Setting
  readonly broken = nothingBrokenAfter()
  readonly publications: Publication[] = []
  /** Deliberate ends: revoked, or by force. */
  readonly mayEnd = new Set<string>()
  journalLost = false
  /** Replaced by a publication that nobody had announced when the platform's steps, which write no entries, went past it (docs/aws.md, limits). */
  readonly unknown = new Set<string>()
  /** Of emergencies and rollbacks. */
  readonly pastTokens = new Set<Token>()
  /** Who reads with the platform's own means gets a value at any time. */
  readonly #readers: Readers | undefined
  #effects = 0
  /** Nothing is performed any more once an invocation has crashed. */
  stopsAtCrash = false
  #crashed = false
  /** With how many effects, counted from the beginning, each invocation ended. */
  readonly ends = new Set<number>()
  #overtaking = false

  static async open(setting: Setting, habits: readonly (readonly [Habit, boolean])[], seed: string): Promise<Story> {
    const names = habits.map(([habit], index) => `c${index}-${habit}`)
    const policy = { 'keyturn-grace': '30m', ...(names.length > 0 ? { 'keyturn-consumers': names.join(' ') } : {}) }
    const world = await World.open(setting.rotator, setting.openStore, seed, policy)
    const story = new Story(world, addConsumers(world, habits), setting)
    await story.#start()
    return story
  }
  private constructor(world: World, consumers: readonly Consumer[], setting: Setting) {
    this.world = world
    this.consumers = consumers
    this.setting = setting
    this.#readers = setting.readers?.(world)
  }

  async #start(): Promise<void> {
    const { world } = this
    const { current } = await world.store.describe(world.ref)
    if (current) this.publications.push({ version: current.id, user: this.#userOf(world.firstValue), overtaken: false })
    for (const consumer of this.consumers) consumer.version = current?.id ?? ''
    const inner = world.target.effects
    world.target.effects = async (name, act) => {
      const before = new Set(world.target.keys.keys())
      const passwords = new Map(world.target.accounts)
      const result = await inner(name, act)
      if (name === 'target.remove')
        this.#ended(
          [...before].filter((id) => !world.target.keys.has(id)),
          passwords,
        )
      return result
    }
    world.watch = async (name) => this.#look(name)
  }

  /** A credential ended: nobody who must have been asked may still use it, and it must not be what consumers read. */
  #ended(keys: readonly string[], passwords: ReadonlyMap<string, string>): void {
    const locked = [...passwords]
      .filter(([user, password]) => password !== '' && this.world.target.accounts.get(user) === '')
      .map(([user]) => user)
    for (const id of [...keys, ...locked]) {
      if (this.mayEnd.has(id)) continue
      for (const consumer of this.consumers.filter(({ required, user }) => required && user === id))
        this.broken.retiredInUse.push(`${id} is used by ${consumer.name}`)
    }
  }

  async #look(name: string): Promise<void> {
    const { world } = this
    const text = await world.currentText()
    const state = await world.store.describe(world.ref)
    const last = this.publications.at(-1)
    if (state.current && state.current.id !== last?.version) {
      // An emergency that died is gone on with by a sweep, and overtakes all the same.
      const past = state.current.ours !== undefined && this.pastTokens.has(state.current.ours)
      if ((this.#overtaking || past) && last) last.overtaken = true
      const replaced = this.publications.at(-2)
      const silent = this.setting.serviceDriven && this.consumers.length === 0 && state.journal?.announced !== last?.version
      if (silent && replaced) this.unknown.add(replaced.user)
      // Between the look at what follows base and the write nobody can see it: we wrote over it, and say so.
      const { base } = state.journal?.rotation ?? {}
      if (last && state.current.ours !== undefined && base !== undefined && base !== last.version) {
        last.overtaken = true
        this.unknown.add(last.user)
      }
      this.publications.push({ version: state.current.id, user: this.#userOf(text), overtaken: false })
    }
    for (const { reader, text: read } of this.#readers?.(state.current?.id) ?? [])
      if (read === undefined) this.broken.other.push(`the reader of ${reader} got nothing after ${name}`)
    const isLate = state.current !== undefined && this.#late.has(state.current.id)
    if (world.rotator !== 'a' && !isLate && !world.accepts(text)) this.broken.lockouts.push(`current is refused after ${name}`)
  }
  #userOf = (text: string): string => (JSON.parse(text) as { username: string }).username

  /** The next invocation of the story, with the fault if its effect lies in it; consumers live on afterwards. */
  async perform(
    deed: Deed,
    options: { readonly faults?: readonly Fault[]; readonly overtakes?: boolean; readonly afterMs?: number } = {},
  ): Promise<string | undefined> {
    if (this.stopsAtCrash && this.#crashed) return undefined
    await this.#happens()
    const { world } = this
    const offset = this.#effects
    const faults = (options.faults ?? []).filter(({ at }) => at >= offset).map((fault) => ({ ...fault, at: fault.at - offset }))
    const process = world.newProcess(faults)
    this.#overtaking = options.overtakes === true
    const code = await this.#attempt(() => deed(this, process), process)
    this.#crashed ||= process.dead
    this.#overtaking = false
    this.#effects += process.effects.length
    this.ends.add(this.#effects)
    world.env.time += options.afterMs ?? laterMs
    for (const consumer of this.consumers) await consumer.live(world)
    return code
  }
  get effects(): number {
    return this.#effects
  }

  async #attempt(act: () => Promise<unknown>, process: FakeProcess): Promise<string | undefined> {
    try {
      await act()
      return undefined
    } catch (cause) {
      if (process.dead || cause instanceof Crash) return 'crash'
      if (cause instanceof RotationError) return cause.code
      throw cause
    }
  }

  /**
   * The platform carries out an add that was sent before, once more or late. Where it becomes current, it has gone past what was current, and nobody
   * need be told of it: the target may refuse it.
   */
  async addLate(event: 'late add' | 'older add'): Promise<void> {
    const last = this.publications.at(-1)
    await this.setting.disturb?.(this.world, event)
    const { current } = await this.world.store.describe(this.world.ref)
    if (current === undefined || current.id === last?.version) return
    this.#late.add(current.id)
    if (last) last.overtaken = true
    await this.#look('a late add')
    const now = this.publications.at(-1)
    if (now) now.overtaken = true
  }
  readonly #late = new Set<VersionId>()
  /** What happens before the next invocation but so many. */
  readonly later: { after: number; act(): Promise<void> }[] = []
  async #happens(): Promise<void> {
    for (const one of this.later.splice(0)) {
      if (one.after === 0) await one.act()
      else this.later.push({ ...one, after: one.after - 1 })
    }
  }

  /** A person makes the target accept what is stored as current. */
  async setAtTarget(): Promise<void> {
    const { username, password } = JSON.parse(await this.world.currentText()) as { username: string; password: string }
    this.world.target.accounts.set(username, password)
  }

  /** Somebody sets another credential and stores it, past us. */
  async byHand(): Promise<void> {
    const last = this.publications.at(-1)
    if (last) last.overtaken = true
    const { journal } = await this.world.store.describe(this.world.ref)
    // adopt notes what is current; here nobody adopted, and nothing was announced yet.
    if (journal?.announced === undefined) for (const { user } of this.publications) this.unknown.add(user)
    await this.world.writeByHand()
    await this.#look('a write by hand')
  }

  act<T>(process: FakeProcess, act: (deps: Deps) => Promise<T>): Promise<T> {
    return this.world.act(process, act)
  }
}

/** After everything settled. */
export async function checkStory(story: Story): Promise<void> {
  const { world, broken, publications, consumers } = story
  const state = await world.store.describe(world.ref)
  const text = await world.currentText()
  if (!world.accepts(text)) broken.lockouts.push(`the stored current value is refused (${state.journal?.code ?? 'not even stuck'})`)
  if (state.journal?.code !== undefined) broken.other.push(`ended ${state.journal.code}`)
  if (state.journal?.announced !== state.current?.id) broken.lostEvents.push('the last publication was never noted as announced')
  for (const { told, name } of consumers) {
    for (const { version, overtaken } of publications)
      if (!overtaken && !told.some((change) => change.version === version)) broken.lostEvents.push(`${name} never heard of ${version}`)
    for (const version of new Set(told.map((change) => change.version)))
      if (new Set(told.filter((change) => change.version === version).map(({ id }) => id)).size > 1)
        broken.other.push(`two ids for ${version}`)
    if (told.at(-1)?.version !== state.current?.id && consumers.length > 0)
      broken.lostEvents.push(`${name} heard last of another publication`)
  }
  if (!story.journalLost) checkEntries(story, state.journal?.retiring.map(({ id }) => id) ?? [], text)
}

/** Every credential that was current once is current, has its entry, or is gone. */
function checkEntries({ world, publications, broken, unknown }: Story, entries: readonly string[], text: string): void {
  const { target, rotator } = world
  const valid = (user: string): boolean => target.keys.has(user) || (target.accounts.get(user) ?? '') !== ''
  const current = (JSON.parse(text) as { username: string }).username
  if (rotator === 'f') return
  for (const user of new Set(publications.map((one) => one.user)))
    if (user !== current && valid(user) && !entries.includes(user) && !unknown.has(user))
      broken.other.push(`${user} is valid and has no retiring entry`)
}
