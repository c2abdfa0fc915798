import type { AnyRotator } from '../../shared/core/ports/rotator.js'
import type { RotationStarter, StepService } from '../../shared/core/ports/service.js'
import type { SecretState, SecretStore, SecretStoreAdmin } from '../../shared/core/ports/store.js'
import type { Policy, RotationRequest, SecretRef, Step, Token } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import type { AuditRecord } from '../../shared/lifecycle/guard/index.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import type { Deps, RotationResult } from '../../shared/lifecycle/secret/deps.js'
import { type Configuration, noConfiguration } from '../../shared/lifecycle/secret/deps.js'
import { Proven, serve } from '../../shared/lifecycle/service/serve.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { MemoryTarget, setMemoryTarget } from '../../shared/rotators/memory/target.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { Answers, byAnswer } from './by-answer.js'
import { FakeEnv } from './fake-env.js'
import { currentProcess, effect, type FakeProcess, inProcess, startProcess } from './faults.js'

export type MemoryClass = 'a' | 'b' | 'c' | 'f'
/** What a harness knows of its store, and can do to it. */
interface Known {
  /** How often rotations published the secret. */
  publications(ref: SecretRef): number
  /** Somebody adds a version past us. */
  writeForeign(ref: SecretRef, value: SecretText): unknown
}
export type AnyStore = SecretStore & SecretStoreAdmin & Partial<RotationStarter & Known>
export type OpenStore = (env: FakeEnv, effects: <T>(name: string, write: () => T) => Promise<T>) => AnyStore | Promise<AnyStore>

/** How far apart invocations are: longer than the longest lease. */
export const laterMs = 16 * 60_000

/** One secret, one target, and what must hold after every effect on them. */
export class World {
  readonly env: FakeEnv
  readonly target = new MemoryTarget()
  readonly audit: AuditRecord[] = []
  /** Broken promises, by name. */
  readonly broken: string[] = []
  store!: AnyStore
  ref!: SecretRef
  firstValue!: string
  readonly rotator: MemoryClass
  configuration: Configuration = noConfiguration
  loadNotifier: Deps['loadNotifier'] = loadNotifier
  /** What the target has said to have set; undefined where a login can try a value. */
  answers: Answers | undefined
  /** How far the clock of every second process is ahead, the first one's included. */
  aheadMs = 0
  #processes = 0
  #published = 0
  #byHand = 0
  #lastCurrent: string | undefined
  watch: (name: string) => Promise<void> = async () => {}
  /** What people stored past the engine. */
  readonly writtenByHand = new Set<string>()
  /** Which process made which of the target's logins. */
  readonly loginsBy: string[] = []
  #stale: SecretState | undefined

  static async open(rotator: MemoryClass, openStore: OpenStore, seed = 'world', policy: Policy = {}): Promise<World> {
    const world = new World(rotator, seed)
    world.store = await openStore(world.env, (name, act) => {
      world.env.time += 5
      return effect(name, act, (done) => world.watch(done))
    })
    world.target.effects = async (name, act) => {
      world.env.time += 5
      const before = world.target.logins.length
      const by = currentProcess()?.name ?? 'test'
      return effect(
        name,
        () => {
          const result = act()
          if (world.target.logins.length > before) world.loginsBy[world.target.logins.length - 1] = by
          return result
        },
        (done) => world.watch(done),
      )
    }
    setMemoryTarget(seed, world.target)
    world.#answerStale()
    world.firstValue = await world.#firstValue(seed)
    const own = { 'keyturn-rotator': `memory-${rotator}`, ...(rotator === 'b' ? { 'keyturn-pair': 'app_a app_b' } : {}), ...policy }
    world.ref = await world.store.create('db', new SecretText(world.firstValue), own)
    world.env.time += laterMs * 8 // past the grace of the first value
    return world
  }

  private constructor(rotator: MemoryClass, seed: string) {
    this.rotator = rotator
    this.env = new FakeEnv(seed)
    this.env.aheadMs = () => currentProcess()?.aheadMs ?? 0
  }

  async #firstValue(target: string): Promise<string> {
    const password = 'first-password-0123456789abcdef'
    const value = { engine: `memory-${this.rotator}`, target, username: 'app_a', password, note: 'stays' }
    if (this.rotator === 'f') return JSON.stringify({ ...value, username: 'kid-0', ring: [{ kid: 'kid-0', key: password }] })
    if (this.rotator === 'c') {
      const key = await this.target.issue('first', password, 0)
      return JSON.stringify({ ...value, username: key.id })
    }
    this.target.accounts.set('app_a', password)
    if (this.rotator === 'b') this.target.accounts.set('app_b', '')
    return JSON.stringify(value)
  }

  /** The next look of an invocation answers with the state of now, whatever happens until then: a listing that lags. */
  async lagBehind(): Promise<void> {
    this.#stale = await this.store.describe(this.ref)
  }
  #answerStale(): void {
    const describe = this.store.describe.bind(this.store)
    this.store.describe = async (ref) => {
      const stale = currentProcess() ? this.#stale : undefined
      if (stale) this.#stale = undefined
      return stale ?? describe(ref)
    }
  }

  deps(name: string): Deps {
    return {
      store: this.store,
      loadRotator: async (kind) => this.#provenSo(await loadRotator(kind)),
      infer: () => ({}),
      configuration: async () => this.configuration,
      loadNotifier: (kind) => this.loadNotifier(kind),
      journal: true,
      readAdmin: async () => {
        throw new Error('no admin here')
      },
      env: this.env,
      audit: { write: async (record) => void this.audit.push(record) },
      holder: name,
      leaseMs: 15 * 60_000,
      shortGrace: true,
    }
  }

  #provenSo(rotator: AnyRotator): AnyRotator {
    return this.answers === undefined ? rotator : byAnswer(rotator, this.answers)
  }
  /** From now on no password can be tried. */
  tryNothing(): void {
    this.answers = new Answers()
  }

  newProcess(faults: FakeProcess['faults'] = []): FakeProcess {
    const process = startProcess(`process-${++this.#processes}`, faults)
    process.aheadMs = this.#processes % 2 === 1 ? this.aheadMs : 0
    return process
  }

  /** One invocation in a process of its own. */
  run(process: FakeProcess, request: Partial<RotationRequest> = {}, given?: SecretText): Promise<RotationResult> {
    const full: RotationRequest = { kind: 'rotate', ref: 'memory:db', at: this.env.time, ...request }
    return inProcess(process, () => rotate(this.deps(process.name), { ...full, ref: this.ref.shown }, given))
  }

  /** Anything else that an invocation does: a sweep, a retirement, a recovery. */
  act<T>(process: FakeProcess, act: (deps: Deps) => Promise<T>): Promise<T> {
    return inProcess(process, () => act(this.deps(process.name)))
  }

  /** The platform's own engine: one step a call, the same token, again from the start after a failure. */
  async runService(process: FakeProcess, token: Token): Promise<void> {
    for (const step of ['create', 'set', 'test', 'finish'] as const satisfies readonly Step[]) await this.serve(process, token, step)
  }
  serve(process: FakeProcess, token: Token, step: Step): Promise<RotationResult> {
    const request = { kind: 'rotate', ref: this.ref.shown, at: this.env.time, token, step } as const
    const proven = this.#proven.get(process) ?? new Proven()
    this.#proven.set(process, proven)
    return inProcess(process, () => serve(this.deps(process.name), this.steps, request, proven))
  }
  /** What each process has tested: it is a warm instance for as long as it lives. */
  readonly #proven = new WeakMap<FakeProcess, Proven>()
  /** The platform's own look shows everything at once. */
  readonly steps: StepService = { stepState: (ref) => this.store.describe(ref) }
  /** The platform begins a rotation of its own. */
  async startNative(): Promise<Token> {
    if (this.store.startNative === undefined) throw new Error('this store has no engine of its own')
    return this.store.startNative(this.ref)
  }

  async currentText(): Promise<string> {
    const { current } = await this.store.describe(this.ref)
    if (current === undefined) throw new Error('no current value')
    return (await this.store.read(this.ref, current.id)).reveal()
  }

  accepts(text: string): boolean {
    const { username, password, ring } = JSON.parse(text) as { username: string; password: string; ring?: { kid: string }[] }
    if (this.rotator === 'f') return ring?.some(({ kid }) => kid === username) === true
    return this.target.accounts.get(username) === password || this.target.keys.get(username)?.secret === password
  }

  /** Somebody sets a password of their own at the target, and stores it past the engine. */
  async writeByHand(): Promise<void> {
    if (this.store.writeForeign === undefined) throw new Error('This store cannot be written past the engine.')
    const before = JSON.parse(await this.currentText()) as { username: string; ring?: readonly { kid: string; key: string }[] }
    const password = `by-hand-${++this.#byHand}-0123456789`
    const text = JSON.stringify({ ...before, ...this.#setByHand(before, password) })
    this.writtenByHand.add(text)
    this.store.writeForeign(this.ref, new SecretText(text))
  }
  #setByHand(before: { username: string; ring?: readonly { kid: string; key: string }[] }, password: string): object {
    if (this.rotator === 'f') {
      const key = { kid: `kid-hand-${this.#byHand}`, key: password }
      return { username: key.kid, password, ring: [key, ...(before.ring ?? [])].slice(0, 2) }
    }
    if (this.rotator !== 'c') {
      this.target.accounts.set(before.username, password)
      return { password }
    }
    const id = `key-hand-${this.#byHand}`
    this.target.keys.set(id, { id, secret: password, tag: 'by hand', createdAt: this.env.time })
    return { username: id, password }
  }

  /** How often a rotation published. A store of a harness may know it even where no version says whose it is. */
  async published(ref: SecretRef = this.ref): Promise<number> {
    if (this.store.publications !== undefined) return this.store.publications(ref)
    let count = 0
    for await (const { ours } of this.store.history(ref)) if (ours !== undefined) count++
    return count
  }

  /** How often what consumers read changed. */
  async publications(): Promise<number> {
    const text = await this.currentText()
    if (text !== (this.#lastCurrent ?? this.firstValue)) this.#published++
    this.#lastCurrent = text
    return this.#published
  }
}
