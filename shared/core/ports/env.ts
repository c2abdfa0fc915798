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
}
