import type { Listed, SecretStore, SecretView } from '../../core/ports/store.js'

/** Returns what a listing shows, which mostly suffices to see what may be due. Where it shows too little, the secret is described: one more call. */
export const viewOf = async (store: SecretStore, listed: Listed): Promise<SecretView> =>
  isEnough(listed) ? listed : store.describe(listed.ref)

const isEnough = (listed: Listed): listed is SecretView =>
  listed.publishedAt !== undefined && listed.loose !== undefined && listed.journal !== undefined
