import type { PasswordWishes } from '../core/ports/env.js'

/** The environment variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What a function must know about its cloud. `functions/<cloud>/platform.ts` says it; nothing else in this room knows a cloud. */
export interface Platform {
  /** Whether a text names a secret of this cloud's own store; a function reaches no other store. */
  isOwn(ref: string): boolean
  /** Authorities that the runtime keeps and Node's list lacks, and the hosts that they are for. Without the file Node's list is used. */
  readonly authorities?: { readonly file: string; readonly endings: readonly string[] }
  /** What this cloud's own variables ask of new passwords; undefined if none is set. Problems with them are added to `problems`. */
  passwordWishes?(environment: Environment, problems: string[]): PasswordWishes | undefined
}

/** Checks variables that must hold one of a few words, or nothing. Those that hold anything else are added to `problems`. */
export function checkSwitches(environment: Environment, switches: Readonly<Record<string, readonly string[]>>, problems: string[]): void {
  for (const [name, allowed] of Object.entries(switches)) {
    const value = environment[name]
    if (value !== undefined && value !== '' && !allowed.includes(value)) problems.push(`${name} must be one of ${allowed.join(', ')}`)
  }
}
