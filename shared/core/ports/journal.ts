import type { Code } from './errors.js'
import type { ConsumerPhase, CredentialId, RotationRequest, Token, VersionId } from './words.js'

/** The rotation that the journal knows; with `published` it is over. `leaseUntil` in epoch milliseconds. */
export interface OpenRotation {
  readonly token: Token
  readonly kind: RotationRequest['kind']
  readonly base: VersionId | null
  readonly reason?: string
  readonly staged?: VersionId
  /** The call that makes the issuer's value is being sent. */
  readonly minting?: true
  /** Checked publish: noted before the write. From here on only finish may run. */
  readonly intent?: true
  /** With an intent, where versions have no order: what was listed while base was still the newest. Whatever is there later and not among them was written since. */
  readonly before?: readonly VersionId[]
  readonly published?: VersionId
  /** Another version was announced after it was published: it explains no more how that one came to be current. */
  readonly overtaken?: true
  readonly holder: string
  readonly attempt: number
  readonly leaseUntil: number
  /** How many values of this rotation the target refused. */
  readonly refusals: number
}

/** It may be lost: announcements are then repeated, and nothing is retired because of what it said. Times in epoch milliseconds. */
export interface Journal {
  readonly rotation?: OpenRotation
  /** Durable `stuck`: rotations are refused before any login until a person has looked. */
  readonly code?: Code
  /** Written together with the retiring entry, in one write. */
  readonly announced?: VersionId | null
  /** The sequence of the publication that somebody was told about last. A later one is higher, whatever the clocks say. */
  readonly sequence?: { readonly version: VersionId; readonly value: number }
  /**
   * When somebody noted that the publication of this version is from the future, or, with `sequence`, that nothing says when it was: what counts from it
   * counts from then. `sequence` tells that publication from others of the same version.
   */
  readonly reckoned?: { readonly version: VersionId; readonly at: number; readonly sequence?: number }
  /** Current, where somebody wrote while we published: it is proven by one login before anybody is told about it. */
  readonly unproven?: VersionId
  /** Staged values that were given up and may still have to be removed. Nothing shows them any more. */
  readonly condemned?: readonly VersionId[]
  readonly retiring: readonly Retiring[]
  /** By consumer. A cache for people; for `manual` ones and callbacks it is the evidence. */
  readonly seen?: Readonly<Record<string, Seen>>
  /** When the sweep last looked whether current still logs in. */
  readonly checkedAt?: number
  /** What the sweep found then. It says nothing of another version. */
  readonly checked?: Checked
}

/** Which version the sweep looked at; `code`: why that does not log in; `expiresAt`: when the target ends its login. */
export interface Checked {
  readonly version: VersionId
  readonly code?: Code
  readonly expiresAt?: number
}

/** A consumer was seen on a publication. */
export interface Seen {
  readonly version: VersionId
  readonly phase: ConsumerPhase
  readonly at: number
  readonly again?: number
  readonly code?: Code
  /** What was found last that was worth a note, in one line for people. It never holds a value, and a store may leave it out. */
  readonly evidence?: string
  /** It came from the consumer itself. Keyturn repeats its own questions, but keeps what a consumer sent. */
  readonly received?: true
}

/**
 * waiting: required consumers exist and are not drained, or usage() last said in use; blocks without limit. undeclared: no consumer is named; blocks
 * until notBefore. armed: written by compare-and-set; from then on only retire. disabled: first phase of a two-phase retire.
 */
export interface Retiring {
  readonly id: CredentialId
  readonly version: VersionId
  /** When it left current. */
  readonly since: number
  readonly notBefore: number
  readonly state: 'waiting' | 'undeclared' | 'armed' | 'disabled'
  /** When lasting sessions of it were last seen, and since when there are none: their end, not their absence, is evidence. */
  readonly seenInUse?: number
  readonly unusedSince?: number
  /** When it was asked about last, in vain: for a while nobody asks again. A store that has no room for it leaves it out, and then each look asks. */
  readonly askedAt?: number
  /** armed: who retires it, and until when nobody else may do so. */
  readonly holder?: string
  readonly leaseUntil?: number
}
