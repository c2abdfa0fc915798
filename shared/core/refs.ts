import { RotationError } from './errors.js'
import { type StoreKind, storeKinds } from './ports/words.js'

/** `file:db` → store and name. The name's own rules are the store's. bad_event for anything that names no store. */
export function splitRef(text: string, defaultStore?: StoreKind): { readonly store: StoreKind; readonly name: string } {
  const match = /^([a-z0-9]+):(.*)$/s.exec(text)
  const store = match ? storeKinds.find((kind) => kind === match[1]) : defaultStore
  const name = match ? match[2] : text
  if (store === undefined || name === undefined || name === '') {
    throw new RotationError('bad_event', `"${text}" does not name a secret.`, {
      field: 'ref',
      next: `Write it as store:name; stores are ${storeKinds.join(', ')}. Example: file:db.`,
    })
  }
  return { store, name }
}
