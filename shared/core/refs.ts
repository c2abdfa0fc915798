import { RotationError } from './errors.js'
import type { StoreKind } from './ports/words.js'

const form = /^[a-z][a-z0-9]*$/

/** Checks the name of a store. internal for a name that cannot precede the colon of a ref. */
export function storeKind(text: string): StoreKind {
  if (form.test(text)) return text as StoreKind
  throw new RotationError('internal', `"${text}" cannot name a store.`, { next: 'Use a-z 0-9, beginning with a letter.' })
}

/** Splits `file:db` into store and name. The store itself checks the name. bad_event for a text that names no store or has no name. */
export function splitRef(text: string, defaultStore?: StoreKind): { readonly store: StoreKind; readonly name: string } {
  const match = /^([a-z][a-z0-9]*):(.*)$/s.exec(text)
  const store = match?.[1] === undefined ? defaultStore : storeKind(match[1])
  const name = match ? match[2] : text
  if (store === undefined || name === undefined || name === '') {
    throw new RotationError('bad_event', `"${text}" does not name a secret.`, {
      field: 'ref',
      next: 'Write it as store:name. Example: file:db.',
    })
  }
  return { store, name }
}
