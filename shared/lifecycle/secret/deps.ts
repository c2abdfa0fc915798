import type { Artefact } from '../../core/ports/artefact.js'
import type { Env } from '../../core/ports/env.js'
import type { Consumer, Notifier } from '../../core/ports/notifier.js'
import type { Administrator, AnyRotator, CredentialType, Difference } from '../../core/ports/rotator.js'
import type { SecretStore } from '../../core/ports/store.js'
import type { Policy, RotationRequest, SecretRef, Step, Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { AuditSink } from '../guard/index.js'

/** A time in which no ordinary rotation starts, in epoch milliseconds. */
export interface Freeze {
  readonly from: number
  readonly to: number
  readonly reason: string
}

export const companionContents = ['credential', 'copy', 'public-set', 'digests'] as const
/** Another secret, or an artefact outside the stores, that has to carry the same credential. From the configuration secret. */
export interface Companion {
  readonly name: string
  /** credential: written into what stands there, whose shape stays · copy: the same value · public-set: public halves only · digests: of what
   * has to be accepted. */
  readonly content: (typeof companionContents)[number]
  /** The only secret that it may carry something of. */
  readonly of?: string
  /** A secret of any store, or the place of an artefact. */
  readonly at: string
  readonly order: 'before' | 'after'
  /** How an artefact is reached, as JSON. */
  readonly settings: SecretText
}
/** Where a companion is written: another secret, with what its store needs, or an artefact. */
export type Place = { readonly deps: Deps } | { readonly artefact: Artefact }

/** Consumers, freezes, defaults and the global pause: one secret for the whole installation. */
export interface Configuration {
  readonly consumers: Readonly<Record<string, Consumer>>
  readonly companions: Readonly<Record<string, Companion>>
  readonly freezes: readonly Freeze[]
  readonly paused: boolean
  /** Policy keys by credential type (`database`), under those of the secret itself. */
  readonly defaults: Readonly<Partial<Record<CredentialType, Policy>>>
}
export const noConfiguration: Configuration = { consumers: {}, companions: {}, freezes: [], paused: false, defaults: {} }

/** What the composition root gives: the only names of implementations stay there. */
export interface Deps {
  readonly store: SecretStore
  /** bad_policy for an unknown name. */
  loadRotator(kind: string): Promise<AnyRotator>
  /** Policy keys that a value implies where the secret names no rotator (`engine`, `masterarn`); empty when it says nothing. */
  infer(value: SecretText): Policy
  /** Policy keys that the environment of a function gives, under those of the secret and over what is inferred. */
  readonly environment?: Policy
  /** Sensitive texts that are no value of a secret, such as a platform's own token: never in a log or an error. */
  readonly sensitive?: readonly SecretText[]
  /** The current value of an administrator's secret, in any store; `rotated`: reads the value that it is for. */
  readAdmin(ref: string, rotated: () => Promise<SecretText | undefined>): Promise<Administrator>
  /** What the configuration secret says; an empty one where none is named. bad_config. */
  configuration(): Promise<Configuration>
  /** bad_config for an unknown kind. */
  loadNotifier(kind: string): Promise<Notifier>
  /** Where companions are written; absent where this role writes none. bad_config. */
  openPlace?(companion: Companion): Promise<Place>
  /** False where this role may not write notes (KEYTURN_JOURNAL=off): grace alone holds, nothing is retired. */
  readonly journal: boolean
  readonly env: Env
  readonly audit: AuditSink
  /** This invocation: unique, not secret. */
  readonly holder: string
  /** As long as this invocation may live; at most 15 minutes. */
  readonly leaseMs: number
  readonly shortGrace: boolean
  /** Told of each step that ends; for progress on a terminal. */
  onStep?(step: Step): void
}

/** How a request ended that did not fail: a failure is thrown. */
export interface RotationResult {
  readonly ref: SecretRef
  /** published: what consumers read changed · unchanged: nothing was to be done · step: the asked step is done, nothing is published yet. */
  readonly outcome: 'published' | 'unchanged' | 'step'
  readonly kind: RotationRequest['kind']
  readonly token?: Token
  readonly version?: VersionId
  readonly previous?: VersionId
  readonly steps: readonly Step[]
  readonly differences: readonly Difference[]
  /** `replace` in one call: milliseconds from the change at the target to the publication, in which new logins with the stored value fail. */
  readonly windowMs?: number
}
