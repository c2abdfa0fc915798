/** The only way to time, chance and the log. `systemEnv` is the real one; tests bring a clock and a seed of their own. */
export interface Env {
  /** Epoch milliseconds. */
  now(): number
  /** Ends early, without an error, when `cancelled` fires. */
  sleep(ms: number): Promise<void>
  random(bytes: number): Uint8Array
  /** One structured line. Fields never hold a value; the guard redacts them all the same. */
  log(code: string, fields: Readonly<Record<string, string | number>>): void
  readonly cancelled: AbortSignal
  /** Extra certificate authorities (PEM) for targets whose secret names none: KEYTURN_CA_FILE. */
  readonly ca?: string
  /** Authorities that stand for a platform's own hosts, where neither the secret nor `ca` names any. */
  readonly hostCa?: { readonly endings: readonly string[]; readonly pem: string }
  /** How new passwords look where the environment says so; the secret's own policy is over it. */
  readonly password?: PasswordWishes
}

/** As the AWS rotation templates name them in a function's environment. */
export interface PasswordWishes {
  readonly length?: number
  /** Characters that must not occur, and whole classes of them. */
  readonly exclude?: string
  /** At least one character of each class that is left; default true. */
  readonly requireEach?: boolean
}
