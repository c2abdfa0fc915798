/** The words that all rooms share. Sizes in UTF-8 bytes, times in epoch milliseconds. */

/** What a version is to its secret: what consumers read, what comes next, what was there before. */
export type Stage = 'current' | 'pending' | 'previous'
export const steps = ['create', 'set', 'test', 'finish'] as const
/** In this order. Each may be repeated. */
export type Step = (typeof steps)[number]

declare const brand: unique symbol
type Brand<T, N extends string> = T & { readonly [brand]: N }

/** Opaque: only the store that made it knows what it says. */
export type VersionId = Brand<string, 'VersionId'>
/** One rotation: 32 to 64 of `A-Za-z0-9-`. The platform's own where it gives one, else derived from state, so that a retry finds the same. */
export type Token = Brand<string, 'Token'>
/** NOT secret: account name, access key id, `kid`, slot name; at most 128 bytes. */
export type CredentialId = Brand<string, 'CredentialId'>

/** What stands before the colon of a ref. Which there are only the registry of stores knows. */
export type StoreKind = Brand<string, 'StoreKind'>

/** Names one secret. `key` is canonical: equal if and only if it is the same secret; `shown` is what people read. */
export interface SecretRef {
  readonly store: StoreKind
  readonly key: string
  readonly shown: string
  /** What other tools call it: as External Secrets writes it in remoteRef.key for a store of that platform. */
  readonly name: string
}

/** What the secret says of itself, as its tags, labels, annotations or metadata hold it: `keyturn-…` keys only. */
export type Policy = Readonly<Record<string, string>>

export const requestKinds = ['rotate', 'resume', 'rollback', 'put', 'emergency'] as const
/**
 * One pipeline for all: they differ in where the value comes from and in what holds them. `at` is when it was ASKED: a publication at or
 * after it answers the request. `resume` only finishes what is open.
 */
export interface RotationRequest {
  readonly kind: (typeof requestKinds)[number]
  readonly ref: string
  readonly at: number
  readonly token?: Token
  readonly step?: Step
  readonly reason?: string
  /** Of a secret with parts: the one that is to change. */
  readonly part?: string
  /** Started by the schedule: where parts have schedules of their own, those that are due are to change. */
  readonly due?: true
  /** rollback: also where current was published by a rollback itself, so that this goes back to what that one left. */
  readonly again?: true
}

/** How far a consumer is with a publication; `failed` is no step but an obstacle. drained: nobody there uses the outgoing credential any more. */
export const consumerPhases = ['requested', 'synced', 'verified', 'restarted', 'drained', 'failed'] as const
export type ConsumerPhase = (typeof consumerPhases)[number]

/** What the platform itself keeps of schedule and copies. */
export interface Native {
  /**
   * starts: the platform starts rotations by itself · notifies: it says once when one is due, which is a hint, and whoever looks starts what is due · off:
   * it could, and nobody has set it up.
   */
  readonly does: 'starts' | 'notifies' | 'off'
  /** For people, in the platform's words. */
  readonly schedule?: string
  readonly nextAt?: number
  readonly replicas: readonly { readonly at: string; readonly inSync: boolean }[]
}
