import type { PublicText } from '../public-key.js'
import type { SecretText } from '../secret-text.js'
import type { Env } from './env.js'
import type { Code } from './errors.js'
import type { CredentialId, Policy, SecretRef, Token } from './words.js'

/** replace: one slot · alternate: two accounts in turn · overlap: two valid at once at the target · ephemeral: a new account each time. */
export type Strategy = 'replace' | 'alternate' | 'overlap' | 'ephemeral'
export const credentialTypes = ['database', 'api-key', 'jwt', 'symmetric', 'oauth', 'tls', 'other'] as const
/** What kind of credential a secret holds: defaults of the configuration and `rotate --type` go by it. */
export type CredentialType = (typeof credentialTypes)[number]

/** A key that this rotator adds to the policy grammar, without the `keyturn-` in front; check returns what is wrong, in words. */
export interface PolicyKey {
  readonly name: string
  readonly default?: string
  /** It names the field of a value that holds the credential: a part of a secret has its own, and nobody writes it. */
  readonly namesField?: true
  readonly help: string
  check(value: string): string | undefined
}

/** What a kind of credential can do, as the lifecycle asks it; never which kind it is. */
export interface RotatorTraits {
  /** Somebody outside accepts or refuses the credential. false: self-issued, so that there is nothing to set, to ask or to end. */
  readonly outside: boolean
  /** Valid credentials at once: replace 1, alternate 2; null: no limit. */
  slots(policy: Policy): number | null
  /** A new credential may be refused for a while though right. */
  readonly propagates: boolean
  /** The target takes a value some time after it was told to: then a refusal proves nothing against it, however late. */
  readonly asynchronous?: true
  /** Self-issued, and fits beside other credentials in one secret: what it keeps of before is one note, or leaves by its time. */
  readonly fitsBeside?: true
  /** How one goes back: publish the previous value (it is still accepted), set it again, or not at all. */
  rollback(policy: Policy): 'publish' | 'reapply' | 'none'
}

/** The login with the right to change others, from the secret that keyturn-admin names. */
export interface Administrator {
  readonly value: SecretText
  readonly ref: SecretRef
  /** Other host names, in lower case, that are the same database or a read replica of it by the word of its platform. */
  readonly hosts?: readonly string[]
}

/** What a rotation, or a look, tells a rotator; times in epoch milliseconds. */
export interface Context<V> {
  readonly ref: SecretRef
  readonly token: Token
  readonly policy: Policy
  /**
   * No effect may reach the target after it, also when this process slept in between: asked again right before each effect, and connections on
   * which it could be sent end by themselves within seconds. Half a minute before the lease ends.
   */
  readonly deadline: number
  readonly stagedAt?: number
  /** The value of the rotation's BASE, also after publishing. */
  readonly current?: V
  /** Read only when it is asked for: most rotations never need it. */
  previous?(): Promise<V | undefined>
  /** Never sent to a host other than the one that the admin secret itself names. */
  readonly admin?: Administrator
  /** For the audit log: why a gate was passed by force. */
  readonly reason?: string
  /** When current became current, and had reached whatever has it before. */
  readonly publishedAt?: number
  /** Of what the value keeps: credentials that nobody needs any more, so that a new value may be without them. */
  readonly released?: readonly CredentialId[]
  /** The outgoing credential leaked: nothing of it stays, and nobody is waited for. */
  readonly emergency?: true
  /** retire: whether open sessions of the outgoing credential are ended too. */
  readonly endSessions?: boolean
  /** current, pending, previous, retiring: nothing here may be deleted. */
  readonly live: readonly CredentialId[]
  readonly env: Env
}

/** Whether the effect is complete; if not, the same call is made once more at `again`, in epoch milliseconds. */
export type Progress = { readonly done: true } | { readonly done: false; readonly again: number; readonly why: Code }
/** What the incoming credential has or lacks against the outgoing one. A fatal one stops the rotation before publishing. */
export interface Difference {
  readonly what: string
  readonly outgoing: string
  readonly incoming: string
  readonly fatal: boolean
}
/** What can be seen of who uses a credential; `lastUsedAt` in epoch milliseconds. */
export interface Usage {
  readonly inUse: boolean | 'unknown'
  /** A session list saw sessions that last: only the end of such ones proves anything; of a client that comes and goes nothing is seen. */
  readonly lasting?: boolean
  readonly lastUsedAt?: number
  /** For people: how many sessions, from where; or why nothing could be seen. */
  readonly evidence: string
}

/** The credential is made by an issuer, which names it. */
export interface Issuer<V> {
  /** The call carries the token as tag. Never deletes. cap_reached. */
  mint(context: Context<V>): Promise<V>
  /** When a credential was last used, as far as the issuer keeps that. Changes nothing. */
  usage(context: Context<V>, id: CredentialId): Promise<Usage>
}

/** The target lists who is logged in. */
export interface Sessions<V> {
  /** Who uses a credential now. Changes nothing. */
  usage(context: Context<V>, id: CredentialId): Promise<Usage>
  /** Ends those of `id` that began before `context.publishedAt`: a revocation where the outgoing credential itself died with the rotation. */
  end(context: Context<V>, id: CredentialId): Promise<void>
  /** The policy wants open sessions of a credential ended when it is retired. */
  endOnRetire(policy: Policy): boolean
}

/** Keys that left and that the value still carries until somebody says that nothing needs them; then the next rotation drops them. */
export interface Older<V> {
  retained(value: V): readonly CredentialId[]
}

/** What everybody may read of a value: the public halves of its keys. */
export interface PublicHalf<V> {
  /**
   * undefined: this value has none yet, and what stands there stays. `at`: when it was published, and times of keys count from there; undefined: it is
   * not yet, and nobody knows when it will be, so that no key that is in use has an end.
   */
  set(value: V, policy: Policy, at: number | undefined): PublicText | undefined
}

/**
 * One kind of credential. Members without a question mark are what every kind has; the groups (`issuer`, `sessions`, `older`, `publicHalf`) are whole or
 * absent. Whoever wraps a rotator names every member (`wholeOf`), so that none is lost on the way.
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
  /** Keeps shape, order and foreign keys of `shape`. */
  render(shape: SecretText, next: V): SecretText
  /** Not secret, stable: what journal, events and gates name. */
  identify(value: V): CredentialId
  /** What is certainly wrong before anything is touched: admin = rotated account, admin host ≠ host, pending names another host. admin_mismatch, bad_policy, bad_value. */
  check(context: Context<V>, pending?: V): void
  /** Pure apart from chance. held when it is too early. */
  propose(context: Context<V>): V | Promise<V>
  /** Idempotent; tries current (or admin) first, only if refused pending, then previous. rejected, target_*. */
  apply(context: Context<V>, pending: V): Promise<Progress>
  /** Exactly one login: is this credential accepted? Proof by the protocol itself. */
  accepted(context: Context<V>, value: V): Promise<boolean>
  /** Logs in with `pending` and compares it with the outgoing credential. target_auth when it is refused. */
  verify(context: Context<V>, pending: V): Promise<readonly Difference[]>
  /** Works from the id alone where it can. Gone already is done. Never called for current or pending. */
  retire(context: Context<V>, id: CredentialId): Promise<Progress>
  /** The driver's own answer to "what is this error". */
  classify(cause: unknown): Code
  readonly issuer?: Issuer<V>
  readonly sessions?: Sessions<V>
  readonly older?: Older<V>
  readonly publicHalf?: PublicHalf<V>
  /** Where it is not about.type for every policy. */
  typeOf?(policy: Policy): CredentialType
  /** Where a value holds several credentials: each of them, the one that identify names first. */
  identities?(value: V): readonly CredentialId[]
  /** Why it is too early for a new value, where that depends on the value itself: asked before anything is claimed. undefined: it is not. */
  tooEarly?(context: Context<V>): string | undefined
  /** Digests of what a service has to accept, for a service that must not know the keys themselves. */
  digests?(value: V, policy: Policy): SecretText
  /**
   * The value with which `previous` comes back: where a value keeps several credentials, what has been used since is not dropped. Where this is not
   * there the previous value is published as it was.
   */
  restore?(current: V, previous: V, policy: Policy): V
}

/** What the registry holds: the value's type is the rotator's own business. */
export type AnyRotator = Rotator<unknown>
