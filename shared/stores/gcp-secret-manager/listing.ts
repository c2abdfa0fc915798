import { codeOf } from '../../core/errors.js'
import type { Journal } from '../../core/ports/store.js'
import { placeSuffix, type SecretName } from './names.js'
import { isPlace, journalTextOf, readJournal } from './place.js'
import { policyOf } from './reader.js'
import type { Secret } from './wire.js'

/** A secret of a listing, and the journal if the listing shows that, too. It may be hours old. */
export interface ListedSecret {
  readonly secret: Secret
  readonly journal?: Journal | null
}

/** How many secrets wait for their staging places. A place is newer than its secret, so that the list, newest first, mostly has it before. */
const waitingMax = 500
/**
 * How much is kept of staging places that wait for their secrets, in bytes. Where a fleet was adopted later than it was made, all places come first: this is
 * as much as the journals of about 100,000 secrets.
 */
const placesBytesMax = 64 * 1024 * 1024
/** What a text in a map takes beside its characters, as far as it was measured. */
const entryBytes = 150

/**
 * Joins each secret that has a policy with its staging place, in bounded memory: what does not find its other half in time goes on without it, which costs
 * a look at that secret. Of a place only its journal is kept, as a text.
 */
export async function* joined(
  pages: AsyncIterable<readonly Secret[]>,
  nameOf: (resource: string) => SecretName,
  bytesMax = placesBytesMax,
): AsyncIterable<readonly ListedSecret[]> {
  const halves = new Halves(nameOf, bytesMax)
  for await (const page of pages) yield page.flatMap((secret) => halves.add(secret))
  yield halves.rest()
}

/** Secrets and staging places whose other half was not listed yet. */
class Halves {
  readonly #nameOf: (resource: string) => SecretName
  readonly #bytesMax: number
  readonly #secrets = new Map<string, Secret>()
  /** The texts of journals; undefined for a place that has none. */
  readonly #places = new Map<string, string | undefined>()
  #bytes = 0
  constructor(nameOf: (resource: string) => SecretName, bytesMax: number) {
    this.#nameOf = nameOf
    this.#bytesMax = bytesMax
  }

  /** What is complete with this one, and what has waited too long. */
  add(secret: Secret): readonly ListedSecret[] {
    return isPlace(secret) ? this.#addPlace(secret) : this.#addSecret(secret)
  }
  /** What has not found its place. */
  rest = (): readonly ListedSecret[] => [...this.#secrets.values()].map((secret) => ({ secret }))

  #addPlace(place: Secret): readonly ListedSecret[] {
    const key = place.resource.slice(0, -placeSuffix.length)
    const secret = this.#secrets.get(key)
    const text = journalTextOf(place)
    this.#secrets.delete(key)
    if (secret !== undefined) return [this.#pairOf(secret, text)]
    this.#places.set(key, text)
    this.#bytes += bytesOf(key, text)
    while (this.#bytes > this.#bytesMax) this.#forgetOldest()
    return []
  }

  #addSecret(secret: Secret): readonly ListedSecret[] {
    const { resource: key } = secret
    if (this.#places.has(key)) {
      const text = this.#places.get(key)
      this.#forget(key, text)
      return [this.#pairOf(secret, text)]
    }
    if (Object.keys(policyOf(secret)).length === 0) return [{ secret }]
    this.#secrets.set(key, secret)
    if (this.#secrets.size <= waitingMax) return []
    const [oldest] = this.#secrets
    if (oldest === undefined) return []
    this.#secrets.delete(oldest[0])
    return [{ secret: oldest[1] }]
  }

  #forgetOldest(): void {
    const [oldest] = this.#places
    if (oldest !== undefined) this.#forget(...oldest)
  }
  #forget(key: string, text: string | undefined): void {
    this.#places.delete(key)
    this.#bytes -= bytesOf(key, text)
  }

  /** A journal that was cut off or edited is left to the look at that secret, which says so. */
  #pairOf(secret: Secret, text: string | undefined): ListedSecret {
    try {
      return { secret, journal: readJournal(text, this.#nameOf(secret.resource)) }
    } catch (cause) {
      if (codeOf(cause) !== 'damaged') throw cause
      return { secret }
    }
  }
}

const bytesOf = (key: string, text = ''): number => key.length + text.length + entryBytes
