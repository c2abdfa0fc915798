import type { SecretText } from '../secret-text.js'
import type { Env } from './env.js'
import type { Code } from './errors.js'
import type { Seen } from './store.js'
import type { ConsumerPhase, SecretRef, VersionId } from './words.js'

export const changeCauses = ['rotation', 'rollback', 'put', 'emergency', 'foreign'] as const
/** One publication, as the outside hears of it. No value, digest or length of a value. */
export interface Change {
  /** The same for every announcement of this publication. */
  readonly id: string
  readonly ref: SecretRef
  readonly version: VersionId
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
  /** Nothing is retired before it is drained. */
  readonly required: boolean
  /** Where it is, for people: `cluster here`. */
  readonly place?: string
  /** The secret holds several credentials: this consumer may use none that a publication changes. */
  readonly several?: true
  /** The notifier's own settings as JSON; may hold signing keys. */
  readonly settings: SecretText
}

/** What one look found out about a consumer; `again` in epoch milliseconds. */
export interface ConsumerState {
  readonly phase: ConsumerPhase
  /** Not before this time once more. */
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
  /** The published value, for a notifier that compares it with what a consumer got; read only when it is asked for, and audited. */
  value?(): Promise<SecretText>
  /** The value that was current before it; undefined where it cannot be read any more. */
  before?(): Promise<SecretText | undefined>
}

/** refuse: certainly mis-set. unknown: not reachable now, which blocks nothing. */
export type Preflight =
  | { readonly verdict: 'ok' }
  | { readonly verdict: 'unknown'; readonly why: string }
  | { readonly verdict: 'refuse'; readonly why: string; readonly next: string }

/** What somebody sent in the name of a consumer. */
export interface Callback {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Byte for byte, as it was signed. */
  readonly body: string
}
/** When it was signed by a key of this very consumer, or why it is not to be trusted. bad_config for settings that are wrong. */
export type CheckCallback = (
  consumer: Consumer,
  callback: Callback,
  now: number,
) => { readonly signedAt: number } | { readonly why: string }

/** Tells the consumers of one kind of a publication. It never carries a value, and every call may be repeated. */
export interface Notifier {
  readonly kind: string
  /** Looks, sends nothing. bad_config for settings that are wrong. */
  preflight(consumer: Consumer, context: NotifierContext): Promise<Preflight>
  /** One bounded look and at most one delivery; repeatable. delivery_failed, delivery_refused. */
  advance(change: Change, consumer: Consumer, context: NotifierContext): Promise<ConsumerState>
  classify(cause: unknown): Code
}
