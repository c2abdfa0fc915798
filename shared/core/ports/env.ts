/** The only access to time, chance and the log. `systemEnv` is the real one; tests bring their own clock and seed. */
export interface Env {
  /** Epoch milliseconds. */
  now(): number
  /** Ends early, without an error, when `cancelled` fires; `to the end` is for what has to be done after that. */
  sleep(ms: number, how?: 'to the end'): Promise<void>
  random(bytes: number): Uint8Array
  /** One structured line. Fields never hold a value; the guard redacts them anyway. */
  log(code: string, fields: Readonly<Record<string, string | number>>): void
  readonly cancelled: AbortSignal
  /** Extra certificate authorities (PEM) for targets whose secret names none: KEYTURN_CA_FILE. */
  readonly ca?: string
  /** Authorities for a platform's own hosts, used if neither the secret nor `ca` names any. */
  readonly hostCa?: { readonly endings: readonly string[]; readonly pem: string }
  /** What the environment asks of new passwords; the secret's own policy wins. */
  readonly password?: PasswordWishes
}

/** What new passwords should look like, as the AWS rotation templates let a function's environment say it. */
export interface PasswordWishes {
  readonly length?: number
  /** Characters that must not occur, and whole classes of them. */
  readonly exclude?: string
  /** At least one character of each class that is left; default true. */
  readonly requireEach?: boolean
}
