import { assertClaim, claimedRotation, optional } from '../core/claims.js'
import { RotationError } from '../core/errors.js'
import { newVersionId } from '../core/ids.js'
import type { Env } from '../core/ports/env.js'
import type { Code } from '../core/ports/errors.js'
import type {
  Claim,
  ClaimWish,
  Journal,
  NotePatch,
  SecretState,
  SecretStore,
  SecretStoreAdmin,
  StoreTraits,
  VersionInfo,
} from '../core/ports/store.js'
import type { Policy, SecretRef, Token, VersionId } from '../core/ports/words.js'
import { splitRef } from '../core/refs.js'
import type { SecretText } from '../core/secret-text.js'
import { type Cell, revOf, stateOf } from './memory/cell.js'
import { type Profile, profiles } from './memory/profiles.js'
import { bookkeep, publishChecked, publishFenced } from './memory/publish.js'

/** Every single write of the store passes here; a test may fail it before or after, or let somebody else in between. */
export type Effects = <T>(name: string, write: () => T) => Promise<T>
const straight: Effects = async (_name, write) => write()

/** Versions in a Map, with one platform's way of staging, publishing and remembering. For tests and trials: nothing survives the process. */
export class MemoryStore implements SecretStore, SecretStoreAdmin {
  readonly traits: StoreTraits
  readonly #cells = new Map<string, Cell>()
  readonly #env: Env
  readonly #profile: Profile
  readonly #effects: Effects

  constructor(env: Env, profile: Profile = profiles.file, effects: Effects = straight) {
    this.#env = env
    this.#profile = profile
    this.#effects = effects
    this.traits = { serviceDriven: profile.serviceDriven, journalCas: !profile.serviceDriven, valueBytesMax: profile.valueBytesMax }
  }

  async resolve(text: string): Promise<SecretRef> {
    const { store, name } = splitRef(text, 'memory')
    if (store !== 'memory')
      throw new RotationError('bad_event', `${text} is not a secret of the memory store.`, { field: 'ref', next: 'Write memory:name.' })
    return { store: 'memory', key: name, shown: `memory:${name}` }
  }

  async describe(ref: SecretRef): Promise<SecretState> {
    return stateOf(this.#cell(ref), this.#profile)
  }

  async read(ref: SecretRef, version: VersionId): Promise<SecretText> {
    const cell = this.#cell(ref)
    const value = cell.versions.get(version)?.value ?? cell.staged.get(version)?.value
    if (value === undefined)
      throw new RotationError('not_found', `${ref.shown} has no version ${version}.`, { next: 'Check it with keyturn get.' })
    return value
  }

  async claim(state: SecretState, wish: ClaimWish): Promise<Claim> {
    const cell = this.#cell(state.ref)
    const now = this.#env.now()
    if (this.#profile.serviceDriven) return this.#serviceClaim(cell, wish, now)
    const rotation = await this.#effects('claim', () => {
      if (state.rev !== revOf(cell, this.#profile)) throw conflict(state.ref)
      if (!this.#profile.blindAbsence && cell.current !== (state.current?.id ?? null)) throw conflict(state.ref)
      const claimed = claimedRotation({ journal: cell.journal, current: state.current?.id ?? null, now, holderMayLive: true }, wish)
      this.#write(cell, { ...(cell.journal ?? { retiring: [] }), rotation: claimed })
      return claimed
    })
    // Nobody else publishes while the claim stands; what happened before it shows now.
    if (cell.current !== (state.current?.id ?? null)) throw conflict(state.ref)
    const { token, kind, holder, attempt, base, leaseUntil } = rotation
    return { ref: state.ref, token, kind, holder, attempt, base, leaseUntil }
  }

  #serviceClaim(cell: Cell, wish: ClaimWish, now: number): Claim {
    if (cell.label !== wish.token) {
      throw new RotationError('token_spent', `The service did not give this token for ${cell.ref.shown}.`, {
        next: 'Start a new rotation.',
      })
    }
    return {
      ref: cell.ref,
      token: wish.token,
      kind: wish.kind,
      holder: wish.holder,
      attempt: 0,
      base: cell.current,
      leaseUntil: now + wish.leaseMs,
    }
  }

  async stage(claim: Claim, value: SecretText): Promise<{ version: VersionId; stored: 'new' | 'same' | 'other' }> {
    const cell = this.#cell(claim.ref)
    const of = [...cell.staged.values()].find((staged) => staged.token === claim.token && staged.value !== undefined)
    const id =
      of?.id ?? (this.#profile.serviceDriven ? (claim.token as string as VersionId) : newVersionId(this.#env.now(), this.#env.random(6)))
    const put = () => {
      this.#check(cell, claim)
      if (of === undefined) {
        cell.staged.set(id, {
          id,
          token: claim.token,
          base: claim.base,
          kind: claim.kind,
          createdAt: this.#env.now(),
          hasValue: true,
          value,
        })
      }
    }
    const name = () => {
      const rotation = this.#check(cell, claim)
      if (rotation) this.#write(cell, { ...(cell.journal as Journal), rotation: { ...rotation, staged: id } })
    }
    if (this.#profile.stageWrites === 2) {
      if (of === undefined) await this.#effects('stage.value', put)
      await this.#effects('stage.name', name)
    } else {
      await this.#effects('stage', () => {
        put()
        name()
      })
    }
    return { version: id, stored: of === undefined ? 'new' : of.value?.equals(value) ? 'same' : 'other' }
  }

  async discard(claim: Claim, version: VersionId): Promise<void> {
    const cell = this.#cell(claim.ref)
    if (this.#profile.serviceDriven) {
      await this.#effects('discard', () => void delete cell.label)
      throw new RotationError(
        'token_spent',
        `The target refused the value of this token, and ${claim.ref.shown} keeps one value per token.`,
        { next: 'Start a new rotation.' },
      )
    }
    await this.#effects('discard.journal', () => {
      const { staged, intent, ...rotation } = this.#check(cell, claim) ?? conflictNow(claim.ref)
      const counts = rotation.base === cell.current ? 1 : 0
      const keep = staged === version ? {} : { ...optional('staged', staged), ...optional('intent', intent) }
      this.#write(cell, { ...(cell.journal as Journal), rotation: { ...rotation, ...keep, rejects: rotation.rejects + counts } })
    })
    await this.#effects('discard.value', () => {
      this.#check(cell, claim)
      cell.staged.delete(version)
    })
  }

  async publish(claim: Claim, version: VersionId): Promise<VersionInfo> {
    const parts = { cell: this.#cell(claim.ref), profile: this.#profile, env: this.#env, effects: this.#effects, claim, version }
    const write = (journal: Journal) => this.#write(parts.cell, journal)
    const info = this.#profile.publish === 'checked' ? await publishChecked(parts, write) : await publishFenced(parts, write)
    await bookkeep(parts, write)
    return info
  }

  async note(state: SecretState, patch: NotePatch): Promise<SecretState> {
    const cell = this.#cell(state.ref)
    const { code, ...rest } = patch
    if (this.#profile.serviceDriven && Object.keys(rest).length > 0) {
      throw new RotationError('denied', 'This role may not write notes.', { next: 'Nothing: the rotation goes on without a journal.' })
    }
    await this.#effects('note', () => {
      if (this.traits.journalCas && state.rev !== revOf(cell, this.#profile)) throw conflict(state.ref)
      const { code: before, ...journal } = cell.journal ?? { retiring: [] }
      const after = code === null ? {} : optional('code', code ?? before)
      this.#write(cell, { ...journal, ...rest, ...after })
    })
    return stateOf(cell, this.#profile)
  }

  async *list(filter: { readonly managed: boolean }): AsyncIterable<SecretState> {
    for (const cell of this.#cells.values()) if (!filter.managed || Object.keys(cell.policy).length > 0) yield stateOf(cell, this.#profile)
  }

  async dispose(ref: SecretRef, version: VersionId): Promise<void> {
    const cell = this.#cell(ref)
    await this.#effects('dispose', () => {
      if (cell.current === version || cell.journal?.rotation?.staged === version) throw conflict(ref)
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
      throw new RotationError('exists', `${ref.shown} exists already.`, { next: 'Put a new value into it, or choose another name.' })
    const id = newVersionId(this.#env.now(), this.#env.random(6))
    const version = { id, createdAt: this.#env.now(), hasValue: true, value }
    const cell = {
      ref,
      versions: new Map([[id, version]]),
      staged: new Map(),
      current: id,
      previous: null,
      publishedAt: this.#env.now(),
      journal: null,
      journalRev: 0,
      policy,
    }
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
    for (const { value: _, ...info } of [...this.#cell(ref).versions.values()].reverse()) yield info
  }

  async startNative(ref: SecretRef): Promise<Token> {
    const cell = this.#cell(ref)
    const unfinished = stateOf(cell, this.#profile).pending
    if (unfinished !== undefined) return unfinished.token // "A previous rotation isn't complete. That rotation will be reattempted."
    const token = Buffer.from(this.#env.random(16)).toString('hex') as Token
    const id = token as string as VersionId
    cell.staged.set(id, { id, token, base: cell.current, createdAt: this.#env.now(), hasValue: false })
    cell.label = token
    return token
  }

  async release(ref: SecretRef): Promise<void> {
    const cell = this.#cell(ref)
    await this.#effects('release', () => {
      cell.staged.clear()
      cell.policy = {}
      this.#write(cell, null)
    })
  }

  /** For tests: what a foreign `terraform apply` does to tags, annotations or a state object. */
  wipeJournal(ref: SecretRef): void {
    this.#write(this.#cell(ref), null)
  }

  /** For tests: somebody writes a value past the engine. */
  writeForeign(ref: SecretRef, value: SecretText): VersionId {
    const cell = this.#cell(ref)
    const id = newVersionId(this.#env.now(), this.#env.random(6))
    cell.versions.set(id, { id, createdAt: this.#env.now(), hasValue: true, value })
    cell.previous = cell.current
    cell.current = id
    cell.publishedAt = this.#env.now()
    return id
  }

  #cell(ref: SecretRef): Cell {
    const cell = this.#cells.get(ref.key)
    if (cell === undefined)
      throw new RotationError('not_found', `There is no secret ${ref.shown}.`, { field: 'ref', next: 'Check the name.' })
    return cell
  }

  #check(cell: Cell, claim: Claim) {
    if (!this.#profile.serviceDriven) return assertClaim(claim, cell.journal)
    if (cell.label !== claim.token) throw conflict(claim.ref)
    return undefined
  }

  #write(cell: Cell, journal: Journal | null): void {
    cell.journal = journal
    cell.journalRev++
  }
}

const conflict = (ref: SecretRef): RotationError =>
  new RotationError('conflict', `Another process changed ${ref.shown} meanwhile.`, { next: 'The state is read again.' })
const conflictNow = (ref: SecretRef): never => {
  throw conflict(ref)
}
