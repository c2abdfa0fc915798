import type { Claim, ClaimWish, NotePatch, SecretState, SecretStore, SecretStoreAdmin, StoreTraits } from '../../shared/core/ports/store.js'
import type { Policy, SecretRef, VersionId } from '../../shared/core/ports/words.js'
import type { SecretText } from '../../shared/core/secret-text.js'
import { currentProcess, type FakeProcess } from './faults.js'

type Opened = SecretStore & Required<SecretStoreAdmin>

/**
 * A store that each process opens for itself, so that it knows only what it has read or written. Who looks on is no process, and opens it for each call:
 * it neither learns from anybody nor tells a process what that has not read.
 */
export class OpenedPerProcess implements SecretStore, SecretStoreAdmin {
  readonly traits: StoreTraits
  readonly #open: () => Opened
  readonly #opened = new WeakMap<FakeProcess, Opened>()
  constructor(open: () => Opened) {
    this.#open = open
    this.traits = open().traits
  }
  #mine(): Opened {
    const process = currentProcess()
    const mine = (process && this.#opened.get(process)) ?? this.#open()
    if (process) this.#opened.set(process, mine)
    return mine
  }

  resolve = (text: string) => this.#mine().resolve(text)
  describe = (ref: SecretRef) => this.#mine().describe(ref)
  read = (ref: SecretRef, version: VersionId) => this.#mine().read(ref, version)
  readCurrent = (text: string) => this.#mine().readCurrent(text)
  claim = (state: SecretState, wish: ClaimWish) => this.#mine().claim(state, wish)
  renew = async (claim: Claim) => this.#mine().renew?.(claim)
  stage = (claim: Claim, value: SecretText) => this.#mine().stage(claim, value)
  discard = (claim: Claim, version: VersionId) => this.#mine().discard(claim, version)
  publish = (claim: Claim, version: VersionId, tested?: SecretText) => this.#mine().publish(claim, version, tested)
  confirm = async (state: SecretState) => this.#mine().confirm?.(state)
  note = (state: SecretState, patch: NotePatch) => this.#mine().note(state, patch)
  list: SecretStore['list'] = (filter, failed) => this.#mine().list(filter, failed)
  dispose = (ref: SecretRef, version: VersionId) => this.#mine().dispose(ref, version)
  classify = (cause: unknown) => this.#mine().classify(cause)
  askedWaitMs = (cause: unknown) => this.#mine().askedWaitMs?.(cause)
  async create(name: string, value: SecretText, policy: Policy): Promise<SecretRef> {
    return this.#mine().create(name, value, policy)
  }
  setPolicy = (ref: SecretRef, patch: Readonly<Record<string, string | null>>) => this.#mine().setPolicy(ref, patch)
  history = (ref: SecretRef) => this.#mine().history(ref)
  release = (ref: SecretRef) => this.#mine().release(ref)
  restorePlace = (ref: SecretRef) => this.#mine().restorePlace(ref)
}
