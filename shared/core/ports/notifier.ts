import type { SecretText } from '../secret-text.js'
import type { Env } from './env.js'
import type { Code } from './errors.js'
import type { Seen } from './store.js'
import type { ConsumerPhase, SecretRef, VersionId } from './words.js'

export const changeCauses = ['rotation', 'rollback', 'put', 'emergency', 'foreign'] as const
/** One publication, as consumers hear of it. It holds no value, digest or length of a value. */
export interface Change {
  /** The same for every announcement of this publication. */
  readonly id: string
  readonly ref: SecretRef
  readonly version: VersionId
  /** What the platform calls the version, where it has a name of its own that a consumer can read by. */
  readonly resource?: string
  readonly previous: VersionId | null
  /** When it was published: receivers drop lower ones. */
  readonly sequence: number
  readonly cause: (typeof changeCauses)[number]
  readonly reason?: string
}

/** A consumer to tell, from the configuration secret. */
export interface Consumer {
  readonly key: string
  readonly kind: string
  /** Nothing is retired before this consumer is drained. */
  readonly required: boolean
  /** Where it is, for people: `cluster here`. */
  readonly place?: string
  /** The secret holds several credentials, so a publication may change none that this consumer uses. */
  readonly several?: true
  /** The notifier's own settings as JSON; may hold signing keys. */
  readonly settings: SecretText
}

/** What one check found out about a consumer; `again` in epoch milliseconds. */
export interface ConsumerState {
  readonly phase: ConsumerPhase
  /** Not to be checked again before this time. */
  readonly again?: number
  readonly code?: Code
  /** For people. */
  readonly evidence: string
}

/** What a notifier is given for one call; `deadline` in epoch milliseconds. Values are read only when it asks. */
export interface NotifierContext {
  readonly env: Env
  readonly deadline: number
  /** What was received for this very publication. */
  readonly receipt?: Seen
  /** The other consumers of this secret of the same kind, where they may share something. */
  readonly beside?: readonly Consumer[]
  /** The published value, for a notifier that compares it with what a consumer got; read only on request, and audited. */
  value?(): Promise<SecretText>
  /** The value that was current before it; undefined if it can no longer be read. */
  before?(): Promise<SecretText | undefined>
}

/**
 * ok: nothing that can be asked speaks against it, which ends a refusal that was noted before. `unproven`: what nobody can ask without sending
 * something. refuse: certainly misconfigured, which only a person can correct. wait: it could not follow now, and may do so later. Both hold a
 * rotation. unknown: not reachable now, which blocks nothing, and leaves what was noted. `asks`: it does not try again by itself, so that the sweep has to tell it of the current
 * publication once more.
 */
export type Preflight =
  | { readonly verdict: 'ok'; readonly unproven?: string }
  | { readonly verdict: 'unknown'; readonly why: string }
  | { readonly verdict: 'refuse' | 'wait'; readonly why: string; readonly next: string; readonly asks?: true }

/** What somebody sent in the name of a consumer. */
export interface Callback {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Byte for byte, as it was signed. */
  readonly body: string
}
/** Returns when a key of this very consumer signed the callback, or why it cannot be trusted. bad_config for wrong settings. */
export type CheckCallback = (
  consumer: Consumer,
  callback: Callback,
  now: number,
) => { readonly signedAt: number } | { readonly why: string }

/** Tells the consumers of one kind about a publication. It never carries a value, and every call may be repeated. */
export interface Notifier {
  readonly kind: string
  /** Checks the consumer and sends nothing. bad_config for wrong settings. */
  preflight(consumer: Consumer, context: NotifierContext): Promise<Preflight>
  /** One bounded check and at most one delivery; repeatable. delivery_failed, delivery_refused. */
  advance(change: Change, consumer: Consumer, context: NotifierContext): Promise<ConsumerState>
  classify(cause: unknown): Code
}
