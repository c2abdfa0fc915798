import type { Seen } from '../../core/ports/store.js'
import type { Deps } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import type { Delivery } from './deliver.js'

/** What each consumer said last about what is current, from the notes. It asks nobody; a consumer without such a note is left out. */
export async function notedConsumers(deps: Deps, refText: string): Promise<readonly Delivery[]> {
  const { state, setup } = await openSecret(deps, refText)
  const { current, journal } = state
  const isCurrent = (seen: Seen | undefined): seen is Seen => seen !== undefined && seen.version === current?.id
  const { consumers } = await setup()
  return consumers.flatMap((consumer) => {
    const seen = journal?.seen?.[consumer.key]
    return isCurrent(seen) ? [{ consumer, seen, evidence: seen.evidence ?? 'as noted before' }] : []
  })
}
