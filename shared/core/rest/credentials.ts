import type { SecretText } from '../secret-text.js'

/** What a call is sent with. */
export interface Access {
  readonly token: SecretText
  /** What a platform wants to be told beside it, by header. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Who has the token of a platform, and renews it in time. */
export interface Credentials {
  /** denied where there are none or they were refused; unavailable where no answer came, also when the signal fires. */
  access(signal: AbortSignal): Promise<Access>
  /** The next call asks for a new token. */
  forget(): void
}
