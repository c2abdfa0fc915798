import type { SecretText } from '../secret-text.js'
import type { Code } from './errors.js'
import type { Checked, Journal, Retiring, Seen } from './journal.js'
import type { Native, Policy, PolicyKey, RotationRequest, SecretRef, Token, VersionId } from './words.js'

export type { Checked, Journal, OpenRotation, Retiring, Seen } from './journal.js'

/** What differs between stores; only traits that some code branches on. */
export interface StoreTraits {
  /** False: each journal key has one writer and lost updates are possible. */
  readonly journalCas: boolean
  readonly valueBytesMax: number
  /** Policy keys that only this store has. */
  readonly policy?: readonly PolicyKey[]
}

/** One version without its value; `createdAt` in epoch milliseconds. */
export interface VersionInfo {
  readonly id: VersionId
  readonly createdAt: number
  readonly hasValue: boolean
  /** The token of the rotation that published it, if it was one of ours. */
  readonly ours?: Token
  /** It was current before and became current again without a write (labels moved by hand): another publication of the same token. */
  readonly returned?: boolean
  /** The platform's own whole name of it, for who reads it there; absent where a version has none, or where nobody asked for it. */
  readonly resource?: string
  /** An older version has the same payload (or token), and nothing explains how this one came to be current: an add came late, or somebody went back. */
  readonly copiesOlder?: true
}

/** token and base are kept WITH the value (envelope, tag, label), so that a wiped journal loses nothing. */
export interface Staged extends VersionInfo {
  readonly token: Token
  readonly base: VersionId | null
  /** What kind of request staged it: a value that a person put is tested and published, never set on the target. */
  readonly kind?: RotationRequest['kind']
}

/** What can be seen of a secret. It holds nothing secret, and is not enough for a claim or a note. */
export interface SecretView {
  readonly ref: SecretRef
  readonly current?: VersionInfo
  readonly previous?: VersionInfo
  /** When current became current; not its createdAt. */
  readonly publishedAt: number
  /** Named by the journal (AWS: by the label) and not published. On AWS it may be an empty placeholder. Never a published value. */
  readonly pending?: Staged
  /** Staged, but not named. */
  readonly loose: readonly Staged[]
  readonly drivenBy: 'engine' | 'service'
  readonly policy: Policy
  /** null: wiped or never written, which is not the same as empty. */
  readonly journal: Journal | null
  readonly native?: Native
  /**
   * Writes have no condition there: a version may be added twice or late, and its token, if it has one, does not tell one publication from another. What
   * is current without an explanation is proven by one login before anybody is told.
   */
  readonly unfenced?: true
  /** The version that the last rotation published is not there to be read: somebody disabled or destroyed it. An older answer of the store never says so. */
  readonly publishedGone?: true
  /**
   * A pointer of the platform names what is current, and reads of it may be old. noted: it names what the journal knows as the last publication ·
   * unconfirmed: another one. Whoever acts on that confirms it first.
   */
  readonly pointer?: 'noted' | 'unconfirmed'
  /**
   * Nothing says when current became current: somebody moved the pointer. `at` tells this publication from others of the version, and stays. `isNoted`:
   * publishedAt is when that was seen first; else it is the same as `at`, and nothing may count from it.
   */
  readonly undated?: { readonly at: number; readonly isNoted: boolean }
  /** The place that keeps staged values and the journal is gone, so that nothing can be claimed or noted. */
  readonly placeLost?: true
}

/** One reading of a secret: everything that decide() needs, nothing secret. Only `not_found` means absent. */
export interface SecretState extends SecretView {
  /** What the next compare-and-set must match. */
  readonly rev: string
}

/**
 * What a listing shows of one secret, without a call for that secret alone. A missing member is not in the listing, which says nothing about the secret.
 * Times may be later than the real ones, and a staged value shows only as far as the listing tells.
 */
export type Listed = Pick<SecretView, 'ref' | 'policy' | 'drivenBy'> & Partial<SecretView>

/** The right to act: exclusive, by holder and attempt. The same token does not mean the same right. */
export interface Claim {
  readonly ref: SecretRef
  readonly token: Token
  readonly kind: RotationRequest['kind']
  /** Together with `attempt` it tells two holders of one token apart, even after the journal was lost. */
  readonly holder: string
  readonly attempt: number
  readonly base: VersionId | null
  readonly leaseUntil: number
  /** service: the platform serialises the steps of its own rotation, whose token and mark are the right to act. */
  readonly drivenBy: SecretView['drivenBy']
  /** A version that must still be retired, and that publishing would push out of previous. A store that drops unnamed versions keeps it. */
  readonly keeps?: VersionId
}

/** What a rotation asks of `claim`. */
export interface ClaimWish {
  readonly token: Token
  readonly kind: RotationRequest['kind']
  readonly reason?: string
  readonly holder: string
  /** As long as the invocation may live, at most 15 minutes; 0 gives the right back. */
  readonly leaseMs: number
  /** The dead rotation whose place it takes. */
  readonly replaces?: Token
  /** The loose version to continue with. */
  readonly continueWith?: VersionId
  /** The token was derived from the state, not given. A store in which it holds a refused value for ever may take another token instead. */
  readonly derived?: true
  /** Carried over from the rotation whose token was spent and whose place this one takes. */
  readonly refusals?: number
  readonly minting?: true
}

/** What a note changes. An absent member stays as it is; `retiring` and `seen` are replaced as a whole. */
export interface NotePatch {
  readonly announced?: VersionId
  readonly sequence?: { readonly version: VersionId; readonly value: number }
  /** A store that has no room for it leaves it out. */
  readonly reckoned?: Journal['reckoned'] & object
  readonly retiring?: readonly Retiring[]
  readonly seen?: Readonly<Record<string, Seen>>
  readonly checkedAt?: number
  readonly checked?: Checked
  /** null removes a durable code. */
  readonly code?: Code | null
}

/** A value and the canonical ref of its secret. */
export interface CurrentValue {
  readonly ref: SecretRef
  readonly value: SecretText
}
/** What is stored under the token after `stage`. */
export interface StagedValue {
  readonly version: VersionId
  /** supplied: the value that was supplied is stored · other: another value is. */
  readonly stored: 'supplied' | 'other'
}

/**
 * What a deployed function may do. Each conditional write is conditional on the claim or on the state that was read. No method depends on which one
 * was called before it on the same instance: what an instance keeps saves calls and changes no answer.
 */
export interface SecretStore {
  readonly traits: StoreTraits
  /** The canonical ref of a name that a person or an event gave. not_found, bad_event. */
  resolve(text: string): Promise<SecretRef>
  describe(ref: SecretRef): Promise<SecretState>
  /** By id; byte for byte. not_found is the only code that means absent. */
  read(ref: SecretRef, version: VersionId): Promise<SecretText>
  /** The current value of another secret (an administrator's, a configuration), with the fewest calls and rights possible. not_found, bad_event. */
  readCurrent(text: string): Promise<CurrentValue>
  /**
   * Compare-and-set on state.rev, and only while current is still state.current. locked while another holder's lease is alive, even for the
   * same token. Where the platform drives: token_spent for a rotation whose token it did not give. conflict, ambiguous.
   */
  claim(state: SecretState, wish: ClaimWish): Promise<Claim>
  /**
   * Renews the platform's own lease of a claim, right before an effect that no write of the store is a condition of. conflict where the lease was broken or
   * taken over. Absent for a store whose claims are nothing but what it has written.
   */
  renew?(claim: Claim): Promise<void>
  /**
   * Keeps the complete value with {token, base} and names it; apply may start only after this. Same value again: no-op. 'other': another value is
   * stored under this token, and wins. A published token is refused (conflict). ambiguous, too_large.
   */
  stage(claim: Claim, value: SecretText): Promise<StagedValue>
  /**
   * Drops a staged value: only with proof that the target never accepted it, or that it is a leftover. Counts `refusals` for the named value only.
   * again: the token may carry another value · spent: it holds one value for ever, and a new rotation must be started. conflict, ambiguous.
   */
  discard(claim: Claim, version: VersionId): Promise<'again' | 'spent'>
  /**
   * Makes `version` what consumers read, and what was current the previous version; bookkeeping included, which ends a durable code: the value was
   * tested. Idempotent by token. fenced: conditional on
   * base. unfenced: intent first, then a look at what follows base, before and after the write. `tested`: the value, where this process has just tested
   * it; it is published even if the staging place is gone. conflict, foreign_write, ambiguous, stuck.
   */
  publish(claim: Claim, version: VersionId, tested?: SecretText): Promise<VersionInfo>
  /**
   * Makes sure, by a conditional write that changes nothing, that what the state shows as current is current at this moment. conflict where it is not. Absent
   * for a store whose reads are never old. `claim` does it where the pointer is unconfirmed.
   */
  confirm?(state: SecretState): Promise<void>
  /** Compare-and-set on state.rev, if the store has one. conflict, denied (drop-in roles: then run without a journal). */
  note(state: SecretState, patch: NotePatch): Promise<void>
  /** Needs constant memory; staging places never appear. A secret that cannot be read goes to `failed`; without `failed` it ends the listing. */
  list(filter: { readonly managed: boolean }, failed?: (shown: string, cause: unknown) => void): AsyncIterable<Listed>
  /** The tags of the secret, whoever wrote them; absent for a store that has none. */
  tags?(ref: SecretRef): Promise<Policy>
  /** Makes a version that is neither current nor pending unreadable as far as the store can. */
  dispose(ref: SecretRef, version: VersionId): Promise<void>
  /** The code of an error, by the driver's own judgement; wrappers never guess. */
  classify(cause: unknown): Code
  /** How long the platform asks to wait before the next call, in milliseconds, where its error says it. Absent for one that never does. */
  askedWaitMs?(cause: unknown): number | undefined
}

/** What needs a person's rights. Only the CLI uses it, so that deployed functions are granted less and bundle less. */
export interface SecretStoreAdmin {
  /** Creates a secret, and its staging place if the store needs one. exists, bad_event, too_large. */
  create(name: string, value: SecretText, policy: Policy): Promise<SecretRef>
  /** null removes a key. */
  setPolicy(ref: SecretRef, patch: Readonly<Record<string, string | null>>): Promise<void>
  /** All versions, even those without a stage, newest first: what a person looks at after an accident. */
  history(ref: SecretRef): AsyncIterable<VersionInfo>
  /** Removes marks, staging place and policy and nothing else: the secret is then as if it had never been managed. */
  release(ref: SecretRef): Promise<void>
  /** Makes a staging place that is gone again, empty; no-op where it is there. Absent for a store whose staging place cannot go alone. */
  restorePlace?(ref: SecretRef): Promise<void>
}
