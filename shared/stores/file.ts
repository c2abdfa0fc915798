import { assertClaim, assertSettled, claimedRotation } from '../core/claims.js'
import { currentOf } from '../core/current.js'
import { diskError } from '../core/disk-error.js'
import { codeOf, RotationError } from '../core/errors.js'
import { newVersionId } from '../core/ids.js'
import { optional } from '../core/optional.js'
import type {
  Claim,
  ClaimWish,
  Code,
  CurrentValue,
  Env,
  Listed,
  NotePatch,
  Policy,
  SecretRef,
  SecretState,
  SecretStore,
  SecretStoreAdmin,
  StagedValue,
  StoreTraits,
  VersionId,
  VersionInfo,
} from '../core/ports/index.js'
import { splitRef, storeKind } from '../core/refs.js'
import type { SecretText } from '../core/secret-text.js'
import { conflictError, withCurrent, without } from './file/changes.js'
import { isName, keyOf, lockOf, namesIn, pathOf, readIfThere, replaceFile, secretsFolder } from './file/disk.js'
import { damagedError, type FileDocument, type FileVersion, readDocument, writeDocument } from './file/document.js'
import type { StoreKeys } from './file/keys.js'
import { withLock } from './file/lock.js'
import { assertOneKey } from './file/one-key.js'
import { thisProcess } from './file/process.js'
import { seal, unseal } from './file/seal.js'
import { infoOf, isOver, stateOf } from './file/state.js'

const kind = storeKind('file')
/**
 * The embedded store: one encrypted and authenticated file for each secret. A file is written whole under one lock, so that value, journal and stage
 * change together. It is for one machine; do not share the folder between machines.
 */
export class FileStore implements SecretStore, SecretStoreAdmin {
  readonly traits: StoreTraits = { journalCas: true, valueBytesMax: 65_536 }
  readonly #home: string
  readonly #keys: StoreKeys
  readonly #env: Env

  constructor(home: string, keys: StoreKeys, env: Env) {
    this.#home = home
    this.#keys = keys
    this.#env = env
  }

  async resolve(text: string): Promise<SecretRef> {
    const { store, name } = splitRef(text, kind)
    if (store !== kind || !isName(name)) {
      throw new RotationError('bad_event', `"${text}" is not a name of the file store.`, {
        field: 'ref',
        next: 'Use a-z 0-9 . _ - /, beginning with a letter or digit, at most 100 characters, fewer with many /. Example: file:db.',
      })
    }
    return { store: kind, key: name, shown: `file:${name}`, name }
  }

  async describe(ref: SecretRef): Promise<SecretState> {
    return stateOf(ref, await this.#load(ref))
  }

  async read(ref: SecretRef, version: VersionId): Promise<SecretText> {
    const found = (await this.#load(ref)).versions.find(({ id }) => id === version)
    if (found === undefined)
      throw new RotationError('not_found', `${ref.shown} has no version ${version}.`, { next: `See keyturn get ${ref.shown}.` })
    try {
      return unseal(this.#keys, ref.key, version, found.sealed)
    } catch (cause) {
      throw cause instanceof RotationError
        ? cause
        : damagedError(pathOf(this.#home, ref.key), `holds a version ${version} that does not open`)
    }
  }

  async readCurrent(text: string): Promise<CurrentValue> {
    return currentOf(this, text)
  }

  async claim(state: SecretState, wish: ClaimWish): Promise<Claim> {
    return this.#change(state.ref, (document) => {
      if (state.rev !== String(document.rev)) throw conflictError(state.ref)
      const published = document.versions.map(({ ours }) => ours)
      const question = {
        journal: document.journal,
        current: document.current,
        published,
        now: this.#env.now(),
        holderMayLive: !isOver(document),
      }
      const rotation = claimedRotation(question, wish)
      const { token, kind, holder, attempt, base, leaseUntil } = rotation
      const next = { ...document, owner: thisProcess(), journal: { ...(document.journal ?? { retiring: [] }), rotation } }
      return [next, { ref: state.ref, token, kind, holder, attempt, base, leaseUntil, drivenBy: 'engine' }]
    })
  }

  async stage(claim: Claim, value: SecretText): Promise<StagedValue> {
    return this.#change(claim.ref, (document) => {
      const rotation = assertClaim(claim, document.journal)
      const there = document.versions.find(({ staged }) => staged?.token === claim.token)
      const { token, base, kind } = claim
      const made = there ?? this.#version(claim.ref, value, { staged: { token, base, kind } })
      const versions = there ? document.versions : [...document.versions, made]
      const same = !there || unseal(this.#keys, claim.ref.key, there.id, there.sealed).equals(value)
      const journal = { ...(document.journal ?? { retiring: [] }), rotation: { ...rotation, staged: made.id } }
      return [
        { ...document, versions, journal },
        { version: made.id, stored: same ? 'supplied' : 'other' },
      ]
    })
  }

  async discard(claim: Claim, version: VersionId): Promise<'again'> {
    return this.#change(claim.ref, (document) => [without(document, claim, version), 'again' as const])
  }

  async publish(claim: Claim, version: VersionId): Promise<VersionInfo> {
    return this.#change(claim.ref, (document) => withCurrent(document, claim, version, this.#env.now()))
  }

  async note(state: SecretState, patch: NotePatch): Promise<void> {
    const { code, ...rest } = patch
    await this.#change(state.ref, (document) => {
      if (state.rev !== String(document.rev)) throw conflictError(state.ref)
      const { code: before, ...journal } = document.journal ?? { retiring: [] }
      return [{ ...document, journal: { ...journal, ...rest, ...(code === null ? {} : optional('code', code ?? before)) } }, undefined]
    })
  }

  async *list(filter: { readonly managed: boolean }, failed?: (shown: string, cause: unknown) => void): AsyncIterable<Listed> {
    for await (const name of namesIn(secretsFolder(this.#home))) {
      const key = keyOf(name)
      if (key === undefined) continue
      try {
        const state = await this.describe(await this.resolve(`file:${key}`))
        if (!filter.managed || Object.keys(state.policy).length > 0) yield state
      } catch (cause) {
        if (failed === undefined) throw cause
        failed(`file:${key}`, cause)
      }
    }
  }

  async dispose(ref: SecretRef, version: VersionId): Promise<void> {
    return this.#change(ref, (document) => {
      if (document.current === version || document.versions.some(({ id, staged }) => id === version && staged !== undefined))
        throw conflictError(ref)
      const previous = document.previous === version ? null : document.previous
      return [{ ...document, previous, versions: document.versions.filter(({ id }) => id !== version) }, undefined]
    })
  }

  classify(cause: unknown): Code {
    return codeOf(diskError(cause, { path: this.#home, tried: 'used' })) ?? 'internal'
  }

  async create(name: string, value: SecretText, policy: Policy): Promise<SecretRef> {
    const ref = await this.resolve(name)
    if (value.bytes > this.traits.valueBytesMax) {
      throw new RotationError('too_large', `The value has ${value.bytes} bytes; this store takes ${this.traits.valueBytesMax}.`, {
        field: 'value',
        next: 'Shorten it.',
      })
    }
    await withLock(lockOf(this.#home), this.#env, async () => {
      const path = pathOf(this.#home, ref.key)
      if ((await readIfThere(path)) !== undefined)
        throw new RotationError('exists', `${ref.shown} already exists.`, { next: 'Put a new value into it, or choose another name.' })
      await assertOneKey(this.#home, this.#keys)
      const version = this.#version(ref, value, {})
      const head = { keyturn: 1 as const, ref: ref.key, keyId: this.#keys.id, rev: 1, current: version.id, previous: null }
      const rest = { publishedAt: this.#env.now(), policy, journal: null, versions: [version] }
      await replaceFile(path, writeDocument(this.#keys, { ...head, ...rest }), 'Nothing was stored.')
    })
    return ref
  }

  async setPolicy(ref: SecretRef, patch: Readonly<Record<string, string | null>>): Promise<void> {
    return this.#change(ref, (document) => {
      const entries = Object.entries({ ...document.policy, ...patch }).filter((entry): entry is [string, string] => entry[1] !== null)
      return [{ ...document, policy: Object.fromEntries(entries) }, undefined]
    })
  }

  async *history(ref: SecretRef): AsyncIterable<VersionInfo> {
    for (const version of [...(await this.#load(ref)).versions].reverse()) if (version.staged === undefined) yield infoOf(version)
  }

  async release(ref: SecretRef): Promise<void> {
    return this.#change(ref, (document) => {
      assertSettled(stateOf(ref, document))
      return [{ ...document, policy: {}, journal: null }, undefined]
    })
  }

  #version(ref: SecretRef, value: SecretText, rest: Pick<FileVersion, 'staged'>): FileVersion {
    const id = newVersionId(this.#env.now(), this.#env.random(6))
    return { id, createdAt: this.#env.now(), ...rest, sealed: seal(this.#keys, ref.key, id, value, this.#env.random) }
  }

  async #load(ref: SecretRef): Promise<FileDocument> {
    const path = pathOf(this.#home, ref.key)
    const text = await readIfThere(path)
    if (text === undefined)
      throw new RotationError('not_found', `There is no secret ${ref.shown}.`, { field: 'ref', next: 'Look at keyturn list, or put it.' })
    const document = readDocument(this.#keys, text, path)
    if (document.ref !== ref.key) throw damagedError(path, `belongs to the secret ${document.ref}`)
    return document
  }

  /** Reads, changes and writes as one: nobody else writes meanwhile, and a killed process leaves the old file. An unchanged document is not written. */
  async #change<T>(ref: SecretRef, change: (document: FileDocument) => [FileDocument, T]): Promise<T> {
    return withLock(lockOf(this.#home), this.#env, async () => {
      const before = await this.#load(ref)
      const [after, result] = change(before)
      if (after !== before) await replaceFile(pathOf(this.#home, ref.key), writeDocument(this.#keys, { ...after, rev: before.rev + 1 }))
      return result
    })
  }
}
