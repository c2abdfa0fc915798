import { optional } from '../../core/optional.js'
import { prefix } from '../../core/policy/index.js'
import type { Listed, SecretStore, SecretView } from '../../core/ports/store.js'

/** Returns what a listing shows, which mostly suffices to see what may be due. Where it shows too little, the secret is described: one more call. */
export const viewOf = async (store: SecretStore, listed: Listed): Promise<SecretView> =>
  isEnough(listed) ? listed : store.describe(listed.ref)

/**
 * What the journal of a listing alone tells of a secret: it knows which version was announced last, and when that was published. It cannot tell that
 * somebody wrote since, which an event or the daily look does. undefined where the journal shows that there is more, where the listing
 * shows none, and where it shows all there is to see.
 */
export function notedView(listed: Listed): SecretView | undefined {
  const { journal, policy } = listed
  const announced = journal?.announced
  if (isEnough(listed) || !journal || !announced || policy[`${prefix}rotator`] === undefined) return undefined
  const { rotation, unproven, condemned = [] } = journal
  const isSettled = rotation === undefined || rotation.published === announced
  if (!isSettled || unproven !== undefined || condemned.length > 0 || journal.sequence?.version !== announced) return undefined
  const publishedAt = journal.sequence.value
  const current = { id: announced, createdAt: publishedAt, hasValue: true, ...optional('ours', rotation?.token) }
  return { ...listed, journal, current, publishedAt, loose: [] }
}

const isEnough = (listed: Listed): listed is SecretView =>
  listed.publishedAt !== undefined && listed.loose !== undefined && listed.journal !== undefined
