/** The words that all rooms share. Sizes in UTF-8 bytes, times in epoch milliseconds. */

/** What a version is to its secret: what consumers read, what comes next, what was there before. */
export type Stage = 'current' | 'pending' | 'previous'
export const steps = ['create', 'set', 'test', 'finish'] as const
/** In this order. Each may be repeated. */
export type Step = (typeof steps)[number]

declare const brand: unique symbol
type Brand<T, N extends string> = T & { readonly [brand]: N }

/** Opaque: only the store that made it knows what it means. */
export type VersionId = Brand<string, 'VersionId'>
/** One rotation: 32 to 64 of `A-Za-z0-9-`. The platform's own if it gives one, else derived from state, so that a retry finds the same token. */
export type Token = Brand<string, 'Token'>
/** NOT secret: account name, access key id, `kid`, slot name; at most 128 bytes. */
export type CredentialId = Brand<string, 'CredentialId'>

/** The part of a ref before the colon. Only the registry of stores knows which ones there are. */
export type StoreKind = Brand<string, 'StoreKind'>

/** Names one secret. `key` is canonical: equal if and only if it is the same secret; `shown` is what people read. */
export interface SecretRef {
  readonly store: StoreKind
  readonly key: string
  readonly shown: string
  /** Its name in other tools, as External Secrets writes it in remoteRef.key for a store of that platform. */
  readonly name: string
}

/** What a secret says about itself in its tags, labels, annotations or metadata: `keyturn-…` keys only. */
export type Policy = Readonly<Record<string, string>>

export const requestKinds = ['rotate', 'resume', 'rollback', 'put', 'emergency'] as const
/**
 * One pipeline serves all kinds: they differ in where the value comes from and in what may hold them. `at` is when the request was MADE: a
 * publication at or after `at` answers it. `resume` only finishes what is open.
 */
export interface RotationRequest {
  readonly kind: (typeof requestKinds)[number]
  readonly ref: string
  readonly at: number
  readonly token?: Token
  readonly step?: Step
  readonly reason?: string
  /** For a secret with parts: the part to change. */
  readonly part?: string
  /** Started by the schedule: if parts have schedules of their own, those that are due change. */
  readonly due?: true
  /** Of a platform's notice, whose `at` is by the clock of the store: what was published before it does not answer it, not even where it is finished only now. */
  readonly since?: true
  /** rollback: allowed even if a rollback published current; this one then publishes what that rollback replaced. */
  readonly again?: true
}

/** How far a consumer has come with a publication; `failed` is an obstacle, not a step. drained: nobody there uses the outgoing credential any more. */
export const consumerPhases = ['requested', 'synced', 'verified', 'restarted', 'drained', 'failed'] as const
/** One of `consumerPhases`. */
export type ConsumerPhase = (typeof consumerPhases)[number]

/** What the platform itself knows about schedule and copies. */
export interface Native {
  /**
   * starts: the platform starts rotations by itself · notifies: it reports once that a rotation is due, which is only a hint, and a sweep starts it ·
   * off: it could start them, but nobody has set it up.
   */
  readonly does: 'starts' | 'notifies' | 'off'
  /** For people, in the platform's words. */
  readonly schedule?: string
  readonly nextAt?: number
  /** notifies: how long it is from one notice to the next; absent where the platform does not show it. */
  readonly everyMs?: number
  /** notifies: the shortest such time that the platform takes. */
  readonly everyMsMin?: number
  /** notifies: what was last written to the platform from the policy, with the first notice; absent where the platform's schedule is somebody else's. */
  readonly written?: { readonly everyMs: number; readonly nextAt: number }
  readonly replicas: readonly { readonly at: string; readonly inSync: boolean }[]
}

/** A key that a rotator or a store adds to the policy grammar, without the prefix `keyturn-`. `check` returns what is wrong, in words. */
export interface PolicyKey {
  readonly name: string
  readonly default?: string
  /** The key names the field of a value that holds the credential. For a part of a secret it is the part's own field, and nobody sets it. */
  readonly namesField?: true
  readonly help: string
  check(value: string): string | undefined
}
