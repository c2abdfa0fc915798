import type { Code } from '../../core/ports/errors.js'
import type { RotatorTraits } from '../../core/ports/rotator.js'
import type { OpenRotation, Retiring, SecretView, Staged } from '../../core/ports/store.js'
import type { CredentialId, RotationRequest, Step, Token, VersionId } from '../../core/ports/words.js'

/** What decide() knows besides the state. */
export interface Facts {
  readonly now: number
  readonly slots: number | null
  readonly graceMs: number
  readonly mints: boolean
  /** False where notes are denied: then a due announcement holds nothing. */
  readonly journal: boolean
  /** Consumers are named in the policy. */
  readonly consumers: boolean
  /** Required consumers whose last preflight said that they are certainly mis-set. */
  readonly refused?: readonly string[]
  /** Where consumers are, for people. */
  readonly places?: Readonly<Record<string, string>>
  readonly rollback: ReturnType<RotatorTraits['rollback']>
  /** Nobody outside knows the credential. */
  readonly selfIssued?: true
  /** Which parts were meant stands in no note: a rotation that has no value yet is begun anew. */
  readonly parts?: true
  /** What left is kept in the value: what is armed leaves with this very rotation, and is nothing that ends at this moment. */
  readonly retains?: true
  readonly previousAccepted?: boolean
  /** Why no rotation may start now, in words: outside the window, a freeze, paused. */
  readonly frozen?: string
  /** The next step where waiting alone does not help. */
  readonly thaw?: string
}

/** What the table answers; the run carries it out, and status and plan show it. */
export type Action =
  | { readonly do: 'done'; readonly version: VersionId }
  | { readonly do: 'refuse'; readonly code: Code; readonly why: string; readonly next?: string }
  /** Test-only run of a service: verify current, write nothing. */
  | { readonly do: 'check' }
  /** Under an exclusive claim, one login each. `leftover`: base ≠ current, so current is asked first. */
  | { readonly do: 'probe'; readonly versions: readonly Staged[]; readonly leftover: boolean; readonly replaces?: Token }
  /** A value that a person put and puts anew: nobody set it at the target, and the person has it. */
  | { readonly do: 'drop'; readonly staged: Staged }
  | {
      readonly do: 'go'
      readonly from: Step
      readonly kind: RotationRequest['kind']
      /** undefined: to be derived from kind, ref, base and refusals. */
      readonly token?: Token
      readonly base: VersionId | null
      readonly version?: VersionId
      readonly replaces?: Token
      readonly retireFirst?: CredentialId
      readonly value?: 'previous' | 'supplied'
      readonly refusals: number
    }

/** The state seen through the request; what the rows of the table ask. */
export interface Look {
  readonly state: SecretView
  readonly request: RotationRequest
  readonly facts: Facts
  readonly service: boolean
  /** A rotation that is neither published nor given up. */
  readonly open?: OpenRotation
  readonly base: VersionId | null
}

/** One row of the table: `answer` may be undefined, which passes the question on to the rows below. */
export interface Row {
  readonly id: string
  readonly state: string
  readonly request: string
  when(look: Look): boolean
  answer(look: Look): Action | undefined
}

/** Slots in use besides the current credential's. */
export const occupied = (retiring: readonly Retiring[], now: number): number =>
  retiring.filter((entry) => entry.state !== 'undeclared' || now < entry.notBefore).length
