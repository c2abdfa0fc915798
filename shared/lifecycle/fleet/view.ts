import type { Listed, SecretStore, SecretView } from '../../core/ports/store.js'

/** What a listing shows is mostly enough to see what may be due: only where it shows too little is the secret described, which is a call of its own. */
export const viewOf = async (store: SecretStore, listed: Listed): Promise<SecretView> =>
  isEnough(listed) ? listed : store.describe(listed.ref)

const isEnough = (listed: Listed): listed is SecretView =>
  listed.publishedAt !== undefined && listed.loose !== undefined && listed.journal !== undefined
