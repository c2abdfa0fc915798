import { deriveToken, kindOfToken } from '../../core/ids.js'
import type { ClaimWish } from '../../core/ports/store.js'
import type { SecretRef, Token, VersionId } from '../../core/ports/words.js'
import type { Api } from './api.js'
import { spentError } from './errors.js'

const refusedMax = 20

/**
 * A token holds one value for ever, even one that the target refused. A token that was derived from the state gives way to the next of its row; a
 * token that somebody gave is spent. Only our own engine asks this: with a person's rights, or for a companion, which a function publishes itself. A
 * rotation by the service never lists versions.
 */
export async function substituteToken(api: Api, ref: SecretRef, wish: ClaimWish): Promise<Token> {
  const known = new Set<string>()
  for await (const { id } of api.versions(ref.key)) known.add(id)
  if (!known.has(wish.token)) return wish.token
  if (!wish.derived) throw spentError(ref, 'This token holds a value that was given up')
  for (let refused = 1; refused <= refusedMax; refused++) {
    const next = deriveToken(kindOfToken(wish.token) ?? wish.kind, ref, wish.token as string as VersionId, refused)
    if (!known.has(next)) return next
  }
  throw spentError(ref, `${refusedMax} values of this rotation were refused`)
}
