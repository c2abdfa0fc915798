import type { Code } from '../../core/ports/errors.js'
import type { RotatorTraits } from '../../core/ports/rotator.js'
import type { OpenRotation, SecretView, Staged } from '../../core/ports/store.js'
import type { CredentialId, RotationRequest, Step, Token, VersionId } from '../../core/ports/words.js'

/** What decide() knows besides the state. */
export interface Facts {
  readonly now: number
  readonly slots: number | null
  readonly graceMs: number
  readonly mints: boolean
  /** False where notes are denied: then a due announcement holds nothing. */
  readonly journal: boolean
  /** Whether anybody has to be notified of a publication. */
  readonly consumers: boolean
  /** Required consumers that refuse the publication, or that could not follow as their last preflight found. */
  readonly refused?: readonly Refused[]
  /** Where consumers are, for people. */
  readonly places?: Readonly<Record<string, string>>
  readonly rollback: ReturnType<RotatorTraits['rollback']>
  /** A rotator can say by one login whether the target accepts a value. */
  readonly proves?: true
  /** No login can try a value: only the answer to setting it shows that it works. */
  readonly byAnswer?: true
  /** Nobody outside knows the credential. */
  readonly selfIssued?: true
  /** The secret has parts. No note says which parts a rotation is for, so one that has no value yet is begun again. */
  readonly parts?: true
  /** The value keeps its older keys. A released key leaves with the rotation itself; it is not ended separately. */
  readonly retains?: true
  readonly previousAccepted?: boolean
  /** The current value cannot be read as a credential, so no rotation can start from it. */
  readonly unreadable?: true
  /** Why no rotation may start now, in words: outside the window, a freeze, paused. */
  readonly frozen?: string
  /** The next step where waiting alone does not help. */
  readonly thaw?: string
}

/** A required consumer that holds a rotation. bad_config: misconfigured. held: it may follow later. delivery_refused: it refuses announcements. */
export interface Refused {
  readonly key: string
  readonly code: 'bad_config' | 'held' | 'delivery_refused'
  /** The reason and what helps, where that was noted. */
  readonly why?: string
}

/** Whether something holds a rotation that would start otherwise: it passes, or somebody corrects a consumer. */
export const isHeld = (action: Action): boolean => action.do === 'refuse' && (action.code === 'held' || action.code === 'bad_config')

/** What the table answers; the run carries it out, and status and plan show it. */
export type Action =
  | { readonly do: 'done'; readonly version: VersionId }
  | { readonly do: 'refuse'; readonly code: Code; readonly why: string; readonly next?: string }
  /** A test-only run of a service: verify current, write nothing. */
  | { readonly do: 'check' }
  /** Under an exclusive claim, one login each. `leftover`: base ≠ current, so current is asked first. */
  | { readonly do: 'probe'; readonly versions: readonly Staged[]; readonly leftover: boolean; readonly replaces?: Token }
  /** Under `stuck`: one login with the supplied value before anything is written. Only what the target accepts is begun. */
  | { readonly do: 'prove'; readonly begin: Extract<Action, { do: 'go' }> }
  /** Drops a value that a person put and puts again: nobody set it at the target, and the person has it. */
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

/** The state, the request and the facts together: the rows of the table ask this. */
export interface Look {
  readonly state: SecretView
  readonly request: RotationRequest
  readonly facts: Facts
  readonly service: boolean
  /** A rotation that is neither published nor given up. */
  readonly open?: OpenRotation
  readonly base: VersionId | null
}

/** One row of the table. Where `answer` gives undefined, the rows below are asked. */
export interface Row {
  readonly id: string
  readonly state: string
  readonly request: string
  when(look: Look): boolean
  answer(look: Look): Action | undefined
}
