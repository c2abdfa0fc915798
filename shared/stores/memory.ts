import { assertSettled, claimedRotation } from '../core/claims.js'
import { currentOf } from '../core/current.js'
import { RotationError } from '../core/errors.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import type { RotationStarter, StepService } from '../core/ports/service.js'
import type {
  Claim,
  ClaimWish,
  CurrentValue,
  Listed,
  NotePatch,
  SecretState,
  SecretStore,
  SecretStoreAdmin,
  StagedValue,
  StoreTraits,
  VersionInfo,
} from '../core/ports/store.js'
import type { Policy, SecretRef, Token, VersionId } from '../core/ports/words.js'
import { splitRef, storeKind } from '../core/refs.js'
import type { SecretText } from '../core/secret-text.js'
import { placeLostError } from '../core/unfenced/errors.js'
import { withNote } from '../core/unfenced/pointer.js'
import { discardUnfenced, publishUnfenced, stageUnfenced } from '../core/unfenced/writes.js'
import { type Cell, fencedState, newCell, revOf } from './memory/cell.js'
import { begin, type Disturbance, disturb, publicationsOf, restorePlace, serviceClaim, strip, writePast } from './memory/others.js'
import { conflictError, type Effects, type Parts, writeJournal } from './memory/parts.js'
import { lease, renewLease } from './memory/platform.js'
import { type Profile, profiles } from './memory/profiles.js'
import { publishFenced } from './memory/publish.js'
import { discardValue, stageValue } from './memory/stage.js'
import { callsOf, disposeUnfenced, historyOf, unfencedState } from './memory/unfenced.js'

const kind = storeKind('memory')
const straight: Effects = async (_name, write) => write()

/** Versions in a Map. It stages, publishes and remembers as one platform does. For tests and trials: nothing survives the process. */
export class MemoryStore implements SecretStore, SecretStoreAdmin, StepService, RotationStarter {
  readonly traits: StoreTraits
  readonly renew?: (claim: Claim) => Promise<void>
  readonly #cells = new Map<string, Cell>()
  readonly #env: Env
  readonly #profile: Profile
  readonly #effects: Effects

  constructor(env: Env, profile: Profile = profiles.file, effects: Effects = straight) {
    this.#env = env
    this.#profile = profile
    this.#effects = effects
    if (profile.leased) this.renew = (claim) => renewLease(this.#cell(claim.ref), claim, effects)
    this.traits = { journalCas: !profile.serviceDriven, valueBytesMax: profile.valueBytesMax }
  }

  async resolve(text: string): Promise<SecretRef> {
    const { store, name } = splitRef(text, kind)
    if (store !== kind)
      throw new RotationError('bad_event', `${text} is not a secret of the memory store.`, { field: 'ref', next: 'Write memory:name.' })
    return { store: kind, key: name, shown: `memory:${name}`, name }
  }

  async describe(ref: SecretRef): Promise<SecretState> {
    return this.#stateOf(this.#cell(ref))
  }

  async read(ref: SecretRef, version: VersionId): Promise<SecretText> {
    const cell = this.#cell(ref)
    const value = cell.versions.get(version)?.value ?? cell.staged.get(version)?.value
    if (value === undefined)
      throw new RotationError('not_found', `${ref.shown} has no version ${version}.`, { next: 'Check it with keyturn get.' })
    return value
  }

  async readCurrent(text: string): Promise<CurrentValue> {
    return currentOf(this, text)
  }

  async claim(state: SecretState, wish: ClaimWish): Promise<Claim> {
    const cell = this.#cell(state.ref)
    const now = this.#env.now()
    if (this.#profile.serviceDriven) return serviceClaim(cell, wish, now)
    const rotation = await this.#effects('claim', () => {
      if (cell.placeLost && !this.#profile.apart) throw placeLostError(state.ref)
      if (state.rev !== revOf(cell, this.#profile)) throw conflictError(state.ref)
      if (!this.#isUnfenced && cell.current !== (state.current?.id ?? null)) throw conflictError(state.ref)
      const question = {
        journal: cell.journal,
        current: state.current?.id ?? null,
        published: [state.current?.ours, ...[...cell.versions.values()].map(({ ours }) => ours)],
        now,
        holderMayLive: true,
      }
      const rotation = claimedRotation(question, wish)
      writeJournal(cell, { ...(cell.journal ?? { retiring: [] }), rotation })
      lease(cell, rotation)
      return rotation
    })
    // Nobody else publishes while the claim lasts. Where an absent journal has no revision, what happened before it shows now.
    const isBlind = this.#profile.blindAbsence
    if (isBlind && (await this.#stateOf(cell)).current?.id !== state.current?.id) throw conflictError(state.ref)
    const { token, kind, holder, attempt, base, leaseUntil } = rotation
    return { ref: state.ref, token, kind, holder, attempt, base, leaseUntil, drivenBy: 'engine' }
  }

  async stage(claim: Claim, value: SecretText): Promise<StagedValue> {
    const parts = this.#parts(claim)
    return this.#isUnfenced ? stageUnfenced(callsOf(parts), claim, value) : stageValue(parts, value)
  }

  async discard(claim: Claim, version: VersionId): Promise<'again' | 'spent'> {
    const parts = this.#parts(claim)
    return this.#isUnfenced ? discardUnfenced(callsOf(parts), claim, version) : discardValue(parts, version)
  }

  async publish(claim: Claim, version: VersionId, tested?: SecretText): Promise<VersionInfo> {
    const parts = this.#parts(claim)
    return this.#isUnfenced ? publishUnfenced(callsOf(parts), claim, version, tested) : publishFenced({ ...parts, version })
  }

  async note(state: SecretState, patch: NotePatch): Promise<void> {
    const cell = this.#cell(state.ref)
    await this.#effects('note', () => {
      if (cell.placeLost && !this.#profile.apart) throw placeLostError(state.ref)
      if (this.traits.journalCas && state.rev !== revOf(cell, this.#profile)) throw conflictError(state.ref)
      writeJournal(cell, withNote(cell.journal, patch))
    })
  }

  async *list(filter: { readonly managed: boolean }): AsyncIterable<Listed> {
    for (const cell of this.#cells.values()) if (!filter.managed || Object.keys(cell.policy).length > 0) yield await this.#stateOf(cell)
  }

  async dispose(ref: SecretRef, version: VersionId): Promise<void> {
    const cell = this.#cell(ref)
    if (this.#isUnfenced) return disposeUnfenced(cell, this.#profile, this.#effects, version)
    await this.#effects('dispose', () => {
      if (cell.current === version || cell.journal?.rotation?.staged === version) throw conflictError(ref)
      const token = cell.versions.get(version)?.ours
      for (const [id, staged] of cell.staged) if (token !== undefined && staged.token === token) cell.staged.delete(id) // a copy that a crash left
      cell.versions.delete(version)
      if (cell.previous === version) cell.previous = null
    })
  }

  classify(cause: unknown): Code {
    return cause instanceof RotationError ? cause.code : 'internal'
  }

  async create(name: string, value: SecretText, policy: Policy): Promise<SecretRef> {
    const ref = await this.resolve(name)
    if (this.#cells.has(ref.key))
      throw new RotationError('exists', `${ref.shown} already exists.`, { next: 'Put a new value into it, or choose another name.' })
    const cell = newCell(ref, this.#profile, this.#env, value, policy)
    await this.#effects('create', () => this.#cells.set(ref.key, cell))
    return ref
  }

  async setPolicy(ref: SecretRef, patch: Readonly<Record<string, string | null>>): Promise<void> {
    const cell = this.#cell(ref)
    await this.#effects('policy', () => {
      const entries = Object.entries({ ...cell.policy, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null)
      cell.policy = Object.fromEntries(entries)
    })
  }

  async *history(ref: SecretRef): AsyncIterable<VersionInfo> {
    const cell = this.#cell(ref)
    const published = new Set([...cell.versions.values()].map(({ ours }) => ours))
    // A value whose mark somebody removed is still there, without a stage.
    const unmarked = [...cell.staged.values()].filter(
      ({ token, value }) => this.#profile.serviceDriven && value !== undefined && token !== cell.label && !published.has(token),
    )
    for (const { id, createdAt, hasValue } of unmarked) yield { id, createdAt, hasValue }
    yield* await historyOf(cell, this.#profile)
  }

  /** The platform's own look: this one shows everything at once. */
  async stepState(ref: SecretRef): Promise<SecretState> {
    return this.describe(ref)
  }

  async startNative(ref: SecretRef): Promise<Token> {
    return begin(this.#cell(ref), this.#profile, this.#env)
  }

  async release(ref: SecretRef): Promise<void> {
    const cell = this.#cell(ref)
    assertSettled(await this.describe(ref))
    await this.#effects('release', () => {
      cell.staged.clear()
      cell.policy = {}
      writeJournal(cell, null)
    })
  }

  async restorePlace(ref: SecretRef): Promise<void> {
    const cell = this.#cell(ref)
    if (cell.placeLost) await this.#effects('restorePlace', () => restorePlace(cell))
  }

  /** For tests: what a foreign `terraform apply` does to tags, annotations or a state object; with `staged` it deletes the whole staging place. */
  wipeJournal(ref: SecretRef, what?: 'staged'): void {
    if (what === 'staged') this.#cell(ref).staged.clear()
    writeJournal(this.#cell(ref), null)
  }

  /** For tests: an operator removes the pending mark, as the usual advice for a rotation that "is not complete" says. */
  stripPending(ref: SecretRef): void {
    strip(this.#cell(ref))
  }

  /** For tests: somebody writes a value past the engine. */
  writeForeign(ref: SecretRef, value: SecretText): VersionId {
    return writePast(this.#cell(ref), this.#profile, value, this.#env)
  }

  /** For tests: what only a store without a condition does, or loses. */
  disturb(ref: SecretRef, event: Disturbance): void {
    disturb(this.#cell(ref), this.#profile, this.#env, event)
  }

  /** For tests: the version to which the alias of current points, where the platform has aliases. */
  aliasOf(ref: SecretRef): VersionId | undefined {
    return this.#cell(ref).alias
  }

  /** For tests: how often this store was published by rotations, although a version may not say so. */
  publications(ref: SecretRef): number {
    return publicationsOf(this.#cell(ref))
  }

  get #isUnfenced(): boolean {
    return this.#profile.publish === 'checked'
  }

  async #stateOf(cell: Cell): Promise<SecretState> {
    return this.#isUnfenced ? unfencedState(cell, this.#profile) : fencedState(cell, this.#profile)
  }

  #cell(ref: SecretRef): Cell {
    const cell = this.#cells.get(ref.key)
    if (cell === undefined)
      throw new RotationError('not_found', `There is no secret ${ref.shown}.`, { field: 'ref', next: 'Check the name.' })
    return cell
  }

  #parts(claim: Claim): Parts {
    return { cell: this.#cell(claim.ref), profile: this.#profile, env: this.#env, effects: this.#effects, claim }
  }
}
