import { RotationError } from '../../shared/core/errors.js'
import type { Artefact } from '../../shared/core/ports/artefact.js'
import type { SecretState, SecretStore, SecretStoreAdmin } from '../../shared/core/ports/store.js'
import type { Policy, RotationRequest, SecretRef } from '../../shared/core/ports/words.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { announce } from '../../shared/lifecycle/consumers/announce.js'
import { type Swept, sweep } from '../../shared/lifecycle/fleet/sweep.js'
import type { AuditRecord } from '../../shared/lifecycle/guard/index.js'
import { rotate } from '../../shared/lifecycle/rotation/rotate.js'
import { adopt } from '../../shared/lifecycle/secret/adopt.js'
import { type Companion, type Configuration, type Deps, noConfiguration, type RotationResult } from '../../shared/lifecycle/secret/deps.js'
import { loadNotifier } from '../../shared/notifiers/registry.js'
import { loadRotator } from '../../shared/rotators/registry.js'
import { type ProfileName, profiles } from '../../shared/stores/memory/profiles.js'
import { MemoryStore } from '../../shared/stores/memory.js'
import { FakeEnv } from './fake-env.js'
import { effect, type FakeProcess, inProcess, startProcess } from './faults.js'

export const dayMs = 86_400_000

/** Secrets that nobody outside knows, in one store, and their companions: in another one, or outside of both. Effects can fail. */
export class SelfIssuedWorld {
  readonly env: FakeEnv
  readonly main: SecretStore & SecretStoreAdmin & MemoryStore
  readonly other: SecretStore & SecretStoreAdmin & MemoryStore
  readonly audit: AuditRecord[] = []
  /** What stands outside the stores, by place. */
  readonly files = new Map<string, string>()
  configuration: Configuration = noConfiguration
  loadNotifier: Deps['loadNotifier'] = loadNotifier
  watch: (name: string) => Promise<void> = async () => {}
  /** Places that cannot be reached now. */
  readonly down = new Set<string>()
  #processes = 0

  constructor(seed = 'self-issued', profile: ProfileName = 'k8s', otherProfile: ProfileName = 'file') {
    this.env = new FakeEnv(seed)
    const effects = <T>(name: string, write: () => T): Promise<T> => {
      this.env.time += 5
      return effect(name, write, (done) => this.watch(done))
    }
    this.main = new MemoryStore(this.env, profiles[profile], effects)
    this.other = new MemoryStore(this.env, profiles[otherProfile], (name, write) => effects(`other.${name}`, write))
  }

  /** Companions of other:NAME or path:NAME, by name. */
  companions(all: Readonly<Record<string, Omit<Companion, 'name' | 'settings'>>>): void {
    const named = Object.entries(all).map(([name, one]) => [name, { name, settings: new SecretText('{}'), ...one }] as const)
    this.configuration = { ...this.configuration, companions: Object.fromEntries(named) }
  }

  deps(holder: string, store: SecretStore = this.main): Deps {
    return {
      store,
      loadRotator,
      infer: () => ({}),
      configuration: async () => this.configuration,
      loadNotifier: (kind) => this.loadNotifier(kind),
      openPlace: async ({ at }) => {
        if (this.down.has(at)) throw new RotationError('unavailable', `${at} is down.`, { next: 'Wait.' })
        if (at.startsWith('path:')) return { artefact: this.#artefact(at) }
        return { deps: this.deps(holder, at.startsWith('memory:main-') ? this.main : this.other) }
      },
      journal: true,
      readAdmin: async () => {
        throw new Error('no admin here')
      },
      env: this.env,
      audit: { write: async (record) => void this.audit.push(record) },
      holder,
      leaseMs: 15 * 60_000,
      shortGrace: true,
    }
  }

  #artefact = (at: string): Artefact => ({
    publish: async (text, { write }) => {
      if (this.files.get(at) === String(text)) return 'same'
      await write(async () => {
        await effect(
          `artefact ${at}`,
          () => this.files.set(at, String(text)),
          (done) => this.watch(done),
        )
      })
      return 'written'
    },
  })

  /** One with a rotator is adopted, as a person does it. */
  async create(name: string, value: object | string, policy: Policy = {}, store = this.main): Promise<SecretRef> {
    const ref = await store.create(name, new SecretText(typeof value === 'string' ? value : JSON.stringify(value)), {})
    if (Object.keys(policy).length > 0) await adopt(this.deps('person', store), store, ref.shown, policy)
    this.env.time += dayMs // past the grace of the first value
    return ref
  }
  newProcess(faults: FakeProcess['faults'] = []): FakeProcess {
    return startProcess(`process-${++this.#processes}`, faults)
  }
  act<T>(what: (deps: Deps) => Promise<T>, process = this.newProcess()): Promise<T> {
    return inProcess(process, () => what(this.deps(process.name)))
  }
  /** A rotation and what a person's command does after it: one announce pass. */
  async rotate(ref: SecretRef, request: Partial<RotationRequest> = {}, process = this.newProcess()): Promise<RotationResult> {
    return this.act(async (deps) => {
      const result = await rotate(deps, { kind: 'rotate', ref: ref.shown, at: this.env.time, reason: 'a test', ...request })
      await announce(deps, ref.shown)
      return result
    }, process)
  }
  sweep(process = this.newProcess()): Promise<Swept[]> {
    return this.act(async (deps) => {
      const all: Swept[] = []
      for await (const one of sweep(deps)) all.push(one)
      return all
    }, process)
  }
  state = (ref: SecretRef, store: SecretStore = this.main): Promise<SecretState> => store.describe(ref)
  async text(ref: SecretRef, store: SecretStore = this.main): Promise<string> {
    const { current } = await store.describe(ref)
    return current === undefined ? '' : (await store.read(ref, current.id)).reveal()
  }
  async json<T>(ref: SecretRef, store: SecretStore = this.main): Promise<T> {
    return JSON.parse(await this.text(ref, store)) as T
  }
}
