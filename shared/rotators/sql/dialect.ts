import type { NameRule } from './names.js'
import type { TlsWords } from './tls.js'

/** What an engine has of its own in how its logins are written. */
export interface Dialect {
  /** As people call the engine. */
  readonly title: string
  /** Of its connection URLs, the usual one first. */
  readonly schemes: readonly string[]
  /** Where a value names none. */
  readonly port: number
  readonly database: string
  readonly names: NameRule
  readonly tls: TlsWords
  readonly elsewhere: QueryNames
  /** A value may name no host, which is empty then: nobody logs in by it. */
  readonly hostless?: true
}

/** Names in the query of a URL, in lower case, by which some client of the engine would log in elsewhere than the rest of the URL says. */
export interface QueryNames {
  /** Host, port, user or password, or a file that holds them. */
  readonly login: readonly string[]
  readonly database: readonly string[]
}
