import { inspect } from 'node:util'
import { leaksIn } from './cli-canary.js'

type Write = typeof process.stderr.write

/** Keeps all that leaves a function, by the way on which it left, so that secrets can be looked for in it. */
export class Outlets {
  readonly #kept = new Map<string, string[]>()
  readonly #streams: readonly { readonly name: 'stdout' | 'stderr'; readonly write: Write }[]

  /** From now on it also keeps what this process writes to its streams, the framework's own lines included. What goes to stderr is not shown. */
  constructor() {
    this.#streams = (['stdout', 'stderr'] as const).map((name) => ({ name, write: process[name].write }))
    for (const { name, write } of this.#streams) {
      const keep = (chunk: string | Uint8Array): void => this.note(name, Buffer.from(chunk).toString('utf8'))
      process[name].write = ((...words: Parameters<Write>) => {
        keep(words[0])
        return name === 'stdout' ? Reflect.apply(write, process.stdout, words) : true
      }) as Write
    }
  }
  /** Gives the streams back. */
  close(): void {
    for (const { name, write } of this.#streams) process[name].write = write
  }

  note(way: string, text: string): void {
    this.#kept.set(way, [...(this.#kept.get(way) ?? []), text])
  }
  /** Everything that can be seen of an error by who catches it. */
  noteError(way: string, cause: unknown): void {
    const seen: string[] = [inspect(cause, { depth: 12, showHidden: true }), JSON.stringify(cause) ?? '']
    for (let each: unknown = cause; each instanceof Error; each = each.cause) seen.push(each.name, each.message, each.stack ?? '')
    this.note(way, seen.join('\n'))
  }

  /** Forgets what was kept. */
  clear = (): void => this.#kept.clear()
  textOf = (way: string): string => (this.#kept.get(way) ?? []).join('\n')
  /** The ways on which something left. */
  get ways(): readonly string[] {
    return [...this.#kept.keys()].sort()
  }
  /** Which secret left on which way, and how it was written. */
  leaks(secrets: Readonly<Record<string, string>>): readonly string[] {
    return leaksIn(Object.fromEntries(this.ways.map((way) => [way, this.textOf(way)])), secrets)
  }
}
