import { inspect } from 'node:util'

/** A value that must not be shown. Prints as `[secret]` in templates, JSON, `util.inspect` and consoles; only `reveal()` returns it. */
export class SecretText {
  readonly #text: string
  constructor(text: string) {
    this.#text = text
  }
  reveal(): string {
    return this.#text
  }
  /** Size in UTF-8 bytes. */
  get bytes(): number {
    return Buffer.byteLength(this.#text)
  }
  equals(other: SecretText): boolean {
    return this.#text === other.#text
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
  [Symbol.toPrimitive](): string {
    return '[secret]'
  }
  [inspect.custom](): string {
    return '[secret]'
  }
}
