import type { Artefact } from '../../core/ports/artefact.js'
import type { Env } from '../../core/ports/env.js'
import type { Consumer, Notifier, Preflight } from '../../core/ports/notifier.js'
import type { Administrator, AnyRotator, CredentialType, Difference } from '../../core/ports/rotator.js'
import type { SecretStore } from '../../core/ports/store.js'
import type { Policy, RotationRequest, SecretRef, Step, Token, VersionId } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import type { AuditSink } from '../guard/index.js'

/** A period in which no ordinary rotation starts, in epoch milliseconds. */
export interface Freeze {
  readonly from: number
  readonly to: number
  readonly reason: string
}

/** What a companion may carry of its source. */
export const companionContents = ['credential', 'copy', 'public-set', 'digests'] as const
/** Another secret, or an artefact outside the stores, that has to carry the same credential. From the configuration secret. */
export interface Companion {
  readonly name: string
  /**
   * credential: written into the value that is there, which keeps its shape · copy: the same value · public-set: public halves only · digests: those
   * of every credential that must be accepted.
   */
  readonly content: (typeof companionContents)[number]
  /** The only secret whose credential it may carry. */
  readonly of?: string
  /** A secret of any store, or the place of an artefact. */
  readonly at: string
  readonly order: 'before' | 'after'
  /** How an artefact is reached, as JSON. */
  readonly settings: SecretText
}
/** The place where a companion is written: another secret, with what its store needs, or an artefact. */
export type Place = { readonly deps: Deps } | { readonly artefact: Artefact }

/** Consumers, freezes, defaults and the global pause: one secret for the whole installation. */
export interface Configuration {
  readonly consumers: Readonly<Record<string, Consumer>>
  readonly companions: Readonly<Record<string, Companion>>
  readonly freezes: readonly Freeze[]
  readonly paused: boolean
  /** Policy keys by credential type (`database`). The secret's own keys take precedence. */
  readonly defaults: Readonly<Partial<Record<CredentialType, Policy>>>
}
/** The configuration of an installation that names no configuration secret. */
export const noConfiguration: Configuration = {
  consumers: {},
  companions: {},
  freezes: [],
  paused: false,
  defaults: {},
}

/** What the preflight of one consumer found. */
export interface Checked {
  readonly consumer: string
  readonly found: Preflight
}

/** What the composition root gives. Only that root names implementations. */
export interface Deps {
  readonly store: SecretStore
  /** bad_policy for an unknown name. */
  loadRotator(kind: string): Promise<AnyRotator>
  /** Policy keys that a value implies where the secret names no rotator (`engine`, `masterarn`); empty when it says nothing. */
  infer(value: SecretText): Policy
  /** Policy keys from the environment of a function. The secret's own keys take precedence over them, and they over inferred ones. */
  readonly environment?: Policy
  /** Sensitive texts that are not values of a secret, such as a platform's own token. They are never in a log or an error. */
  readonly sensitive?: readonly SecretText[]
  /** The current value of an administrator's secret, in any store. `rotated` reads the value of the secret to rotate. */
  readAdmin(ref: string, rotated: () => Promise<SecretText | undefined>): Promise<Administrator>
  /** What the configuration secret says; an empty one where none is named. bad_config. */
  configuration(): Promise<Configuration>
  /** bad_config for an unknown kind. */
  loadNotifier(kind: string): Promise<Notifier>
  /** Opens the place where a companion is written; absent where this role writes none. bad_config. */
  openPlace?(companion: Companion): Promise<Place>
  /** False where this role may not write notes (KEYTURN_JOURNAL=off). Then only grace holds rotations, and nothing is retired. */
  readonly journal: boolean
  readonly env: Env
  readonly audit: AuditSink
  /** This invocation: unique, not secret. */
  readonly holder: string
  /** How long this invocation may live; at most 15 minutes. */
  readonly leaseMs: number
  readonly shortGrace: boolean
  /** What a preflight of this very invocation found. It counts before the notes, which may be denied, or have no room for the reason. */
  readonly checked?: readonly Checked[]
  /** The caller sends a message for each time at which a consumer is to be looked at again, so that each such time is noted, even if nothing else moved. */
  readonly looksAgain?: true
  /** Called when a step ends, for progress on a terminal. */
  onStep?(step: Step): void
}

/** How a request ended. A failure is thrown instead. */
export interface RotationResult {
  readonly ref: SecretRef
  /** published: what consumers read changed · unchanged: there was nothing to do · step: the asked step is done, nothing is published yet. */
  readonly outcome: 'published' | 'unchanged' | 'step'
  readonly kind: RotationRequest['kind']
  readonly token?: Token
  readonly version?: VersionId
  /** When the version was made, which may be before this rotation was finished. */
  readonly publishedAt?: number
  readonly previous?: VersionId
  readonly steps: readonly Step[]
  readonly differences: readonly Difference[]
  /** Names of the fields that have other texts now; `value` where the value has no fields. Absent where nothing was written, or nobody could compare. */
  readonly rewrote?: readonly string[]
  /** For `replace` in one call: milliseconds from the change at the target to the publication. New logins with the stored value fail meanwhile. */
  readonly windowMs?: number
}
