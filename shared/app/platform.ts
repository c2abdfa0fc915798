import type { PasswordWishes } from '../core/ports/env.js'

/** The variables of a process, handed in. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What a function is told of the cloud that it runs in, by `functions/<cloud>/platform.ts`: nothing else in this room knows one. */
export interface Platform {
  /** Whether a text names a secret of this cloud's own store: a function reaches no other. */
  isOwn(ref: string): boolean
  /** Authorities that the runtime keeps and Node's list lacks, and the hosts that they are for. Without the file Node's list stands. */
  readonly authorities?: { readonly file: string; readonly endings: readonly string[] }
  /** What this cloud's own variables say of new passwords: undefined where none is set. What is wrong with them goes to `problems`. */
  passwordWishes?(environment: Environment, problems: string[]): PasswordWishes | undefined
}

/** Variables that say one of a few words, or nothing; what says anything else goes to `problems`. */
export function checkSwitches(environment: Environment, switches: Readonly<Record<string, readonly string[]>>, problems: string[]): void {
  for (const [name, allowed] of Object.entries(switches)) {
    const value = environment[name]
    if (value !== undefined && value !== '' && !allowed.includes(value)) problems.push(`${name} must be one of ${allowed.join(', ')}`)
  }
}
