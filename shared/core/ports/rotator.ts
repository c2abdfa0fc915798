import type { RotationError } from '../errors.js'
import type { PublicText } from '../public-key.js'
import type { SecretText } from '../secret-text.js'
import type { Env } from './env.js'
import type { Code } from './errors.js'
import type { CredentialId, Policy, PolicyKey, SecretRef, Token } from './words.js'

/** replace: one slot · alternate: two accounts in turn · overlap: two valid at once at the target · ephemeral: a new account each time. */
export type Strategy = 'replace' | 'alternate' | 'overlap' | 'ephemeral'
export const credentialTypes = ['database', 'api-key', 'jwt', 'symmetric', 'oauth', 'tls', 'other'] as const
/** What kind of credential a secret holds: defaults of the configuration and `rotate --type` choose by it. */
export type CredentialType = (typeof credentialTypes)[number]

export type { PolicyKey } from './words.js'

/**
 * What shows that a value works. login: the target, whenever it is asked · answer: only what the interface that sets it answers to the change, because
 * nobody here can log in. Then no value can be tried, and a value is proven by setting it.
 */
export type Proof = 'login' | 'answer'

/** What a kind of credential can do. The lifecycle asks for these traits, and never which kind it is. */
export interface RotatorTraits {
  /** A target accepts or refuses the credential. false: it is self-issued, so there is nothing to set, to ask or to end. */
  readonly outside: boolean
  /** How many credentials can be valid at once: replace 1, alternate 2; null: no limit. */
  slots(policy: Policy): number | null
  /** A new credential may be refused for a while although it is right. */
  readonly propagates: boolean
  /** The target applies a value some time after it was asked to. A refusal then proves nothing against the value, however late it comes. */
  readonly asynchronous?: true
  /** What proves a value; absent: a login. With `answer`, `accepted` is never asked, and `verify` and `login` try no password. */
  proof?(policy: Policy): Proof
  /** Self-issued, and fits beside other credentials in one secret: what it keeps of older credentials is one note, or depends on the time. */
  readonly fitsBeside?: true
  /** How a rollback works: publish the previous value (it is still accepted), set it again, or not at all. */
  rollback(policy: Policy): 'publish' | 'reapply' | 'none'
}

/** The login with the right to change others, from the secret that keyturn-admin names. */
export interface Administrator {
  readonly value: SecretText
  readonly ref: SecretRef
  /** Other host names, in lower case, that the platform confirms as the same database or a read replica of it. */
  readonly hosts?: readonly string[]
}

/** What a rotation or a check tells a rotator; times in epoch milliseconds. */
export interface Context<V> {
  readonly ref: SecretRef
  readonly token: Token
  readonly policy: Policy
  /**
   * No effect may reach the target after it, even if this process slept in between. The deadline is checked right before each effect, and connections
   * that could carry an effect end by themselves within seconds. It is half a minute before the lease ends.
   */
  readonly deadline: number
  readonly stagedAt?: number
  /** The value of the rotation's BASE, also after publishing. */
  readonly current?: V
  /** Read only on request: most rotations never need it. */
  previous?(): Promise<V | undefined>
  /** Never sent to a host other than the one that the admin secret itself names. */
  readonly admin?: Administrator
  /** For the audit log: why a gate was passed by force. */
  readonly reason?: string
  /** When current had become current, and had reached every place that carries it before. */
  readonly publishedAt?: number
  /** Credentials that the value keeps and that nobody needs any more: a new value may leave them out. */
  readonly released?: readonly CredentialId[]
  /** The outgoing credential leaked: nothing of it stays, and nobody is waited for. */
  readonly emergency?: true
  /** retire: whether open sessions of the outgoing credential are ended too. */
  readonly endSessions?: boolean
  /** current, pending, previous, retiring: nothing here may be deleted. */
  readonly live: readonly CredentialId[]
  readonly env: Env
}

/** Whether the effect is complete. If not, the same call is repeated at `again`, in epoch milliseconds. */
export type Progress = { readonly done: true } | { readonly done: false; readonly again: number; readonly why: Code }
/** What the incoming credential has or lacks, compared with the outgoing one. A fatal one stops the rotation before publishing. */
export interface Difference {
  readonly what: string
  readonly outgoing: string
  readonly incoming: string
  readonly fatal: boolean
}
/** What can be seen of the use of a credential; `lastUsedAt` in epoch milliseconds. */
export interface Usage {
  readonly inUse: boolean | 'unknown'
  /** A session list showed lasting sessions. Only the end of such sessions proves anything: a client that comes and goes is not seen. */
  readonly lasting?: boolean
  readonly lastUsedAt?: number
  /** For people: how many sessions, from where; or why nothing could be seen. */
  readonly evidence: string
}

/**
 * What one login showed. The two facts differ where the target accepts the password and gives no session: the database is missing, the role may not
 * connect, a limit is reached. `why` is the reason then.
 */
export interface LoginSeen {
  /** Proven by the protocol itself. Only this fact decides whether a value may be thrown away. null, like `logsIn`: no password can be tried. */
  readonly passwordAccepted: boolean | null
  /** A session answered. Only this means that consumers can work with the credential. */
  readonly logsIn: boolean | null
  /** Why there is no session, or what is known of a refusal. */
  readonly why?: RotationError
  /** The login of the secret that the target itself ends first, whatever its password. Absent: none has an end, or the target does not say. */
  readonly end?: LoginEnd
}
/** When a target ends a login; epoch milliseconds. */
export interface LoginEnd {
  readonly login: CredentialId
  readonly at: number
}

/** An issuer makes the credential and names it. */
export interface Issuer<V> {
  /** The call carries the token as a tag. Never deletes. cap_reached. */
  mint(context: Context<V>): Promise<V>
  /** When a credential was last used, as far as the issuer keeps that. Changes nothing. */
  usage(context: Context<V>, id: CredentialId): Promise<Usage>
}

/** The target lists who is logged in. */
export interface Sessions<V> {
  /** Who uses a credential now. Changes nothing. */
  usage(context: Context<V>, id: CredentialId): Promise<Usage>
  /** Ends the sessions of `id` that began before `context.publishedAt`: this revokes a credential that itself ended with the rotation. */
  end(context: Context<V>, id: CredentialId): Promise<void>
  /** Whether the policy wants open sessions of a credential ended when it is retired. */
  endOnRetire(policy: Policy): boolean
}

/** Older keys that the value carries until somebody says that nothing needs them. The next rotation then drops them. */
export interface Older<V> {
  retained(value: V): readonly CredentialId[]
}

/** The part of a value that everybody may read: the public halves of its keys. */
export interface PublicHalf<V> {
  /**
   * Returns undefined if the value has no public half yet; the published set then stays. `at` is when the value was published: the times of its keys
   * count from there. undefined if it is not published yet: nobody knows when it will be, so no key that is in use has an end.
   */
  set(value: V, policy: Policy, at: number | undefined): PublicText | undefined
}

/**
 * One kind of credential. Every kind has the members without a question mark. A group (`issuer`, `sessions`, `older`, `publicHalf`) is complete or
 * absent. A wrapper of a rotator names every member (`wholeOf`), so that none is lost.
 */
export interface Rotator<V> {
  readonly about: {
    readonly kind: string
    readonly title: string
    readonly type: CredentialType
    readonly strategies: readonly Strategy[]
    readonly policy: readonly PolicyKey[]
  }
  readonly traits: RotatorTraits
  /** bad_value with the path. */
  parse(value: SecretText, policy: Policy): V
  /**
   * bad_value for a value that clients of its kind read in different ways; `parse` refuses it, too. It needs no policy, so that such a value is refused
   * before it is stored.
   */
  assertClear?(value: SecretText): void
  /** Keeps shape, order and foreign keys of `shape`. */
  render(shape: SecretText, next: V): SecretText
  /** The name of the credential in journal, events and gates: stable and not secret. */
  identify(value: V): CredentialId
  /**
   * Throws for what is certainly wrong, before anything is touched: admin = rotated account, admin host ≠ host, pending names another host.
   * admin_mismatch, bad_policy, bad_value.
   */
  check(context: Context<V>, pending?: V): void
  /** Pure apart from chance. held if it is too early. */
  propose(context: Context<V>): V | Promise<V>
  /** Idempotent. Tries current (or admin) first; only if that is refused pending, then previous. rejected, target_*. */
  apply(context: Context<V>, pending: V): Promise<Progress>
  /** Whether the target accepts the password: exactly one login, proven by the protocol itself. It says nothing about a session. */
  accepted(context: Context<V>, value: V): Promise<boolean>
  /**
   * Logs in with `pending`, and compares it with the outgoing credential in a session that answers. target_auth if the password is refused; without a
   * session, the code of the reason.
   */
  verify(context: Context<V>, pending: V): Promise<readonly Difference[]>
  /** Works from the id alone if it can. A credential that is already gone counts as done. Never called for current or pending. */
  retire(context: Context<V>, id: CredentialId): Promise<Progress>
  /** The code of an error, by the driver's own judgement. */
  classify(cause: unknown): Code
  readonly issuer?: Issuer<V>
  readonly sessions?: Sessions<V>
  readonly older?: Older<V>
  readonly publicHalf?: PublicHalf<V>
  /**
   * Exactly one login, and one question to its session. Where no password can be tried, it asks whether the login is there at all, without one.
   * Throws where not even the password could be tried. Every target that can accept a password
   * and give no session has this member. Without it, `accepted` says both.
   */
  login?(context: Context<V>, value: V): Promise<LoginSeen>
  /**
   * Makes ahead what the first rotation would make, as far as nobody can log in with it before that. Asked when a secret is adopted; may be repeated.
   * Returns what was made, as a sentence without its full stop; undefined where there was nothing to make. The codes of `apply`.
   */
  prepare?(context: Context<V>): Promise<string | undefined>
  /** The type of credential under a policy, if it is not always about.type. */
  typeOf?(policy: Policy): CredentialType
  /** All credentials of a value that holds several; first the one that `identify` names. */
  identities?(value: V): readonly CredentialId[]
  /** What a rotation does with this value that a person should know before the first one, if anything; a sentence without its full stop. It quotes nothing of it. */
  outlook?(value: V, policy: Policy): string | undefined
  /** Why it is too early for a new value, if that depends on the value itself; undefined if it is not. Asked before anything is claimed. */
  tooEarly?(context: Context<V>): string | undefined
  /** Digests of the keys that a service must accept, for a service that must not know the keys themselves. */
  digests?(value: V, policy: Policy): SecretText
  /**
   * The value that a rollback to `previous` publishes: if a value keeps several credentials, those that were used since are not dropped. Without this
   * member the previous value is published as it was.
   */
  restore?(current: V, previous: V, policy: Policy): V
}

/** A rotator as the registry holds it. The type of its value is its own business. */
export type AnyRotator = Rotator<unknown>
