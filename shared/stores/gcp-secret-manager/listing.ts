import { codeOf } from '../../core/errors.js'
import type { Journal } from '../../core/ports/store.js'
import { placeSuffix, type SecretName } from './names.js'
import { isPlace, placeOf } from './place.js'
import { policyOf } from './reader.js'
import type { Secret } from './wire.js'

/** A secret of a listing, and the journal if the listing shows that, too. It may be hours old. */
export interface ListedSecret {
  readonly secret: Secret
  readonly journal?: Journal | null
}

/** How many secrets wait for their staging places. Those stand next to them where a listing is sorted by names, which the service does not promise. */
const waitingMax = 500

/**
 * Joins each secret that has a policy with its staging place, in constant memory: what does not find its other half soon goes on without it, which costs
 * a look at that secret.
 */
export async function* joined(secrets: AsyncIterable<Secret>, nameOf: (resource: string) => SecretName): AsyncIterable<ListedSecret> {
  const waiting = new Map<string, Secret>()
  const places = new Map<string, Secret>()
  for await (const secret of secrets) {
    const key = isPlace(secret) ? secret.resource.slice(0, -placeSuffix.length) : secret.resource
    const other = (isPlace(secret) ? waiting : places).get(key)
    if (other !== undefined) yield pairOf(isPlace(secret) ? other : secret, isPlace(secret) ? secret : other, nameOf)
    else if (isPlace(secret)) places.set(key, secret)
    else if (Object.keys(policyOf(secret)).length === 0) yield { secret }
    else waiting.set(key, secret)
    waiting.delete(other === undefined ? '' : key)
    places.delete(other === undefined ? '' : key)
    for (const [oldest, alone] of waiting) {
      if (waiting.size <= waitingMax) break
      waiting.delete(oldest)
      yield { secret: alone }
    }
    for (const oldest of places.keys()) if (places.size > waitingMax) places.delete(oldest)
  }
  for (const secret of waiting.values()) yield { secret }
}

/** A journal that was cut off or edited is left to the look at that secret, which says so. */
function pairOf(secret: Secret, place: Secret, nameOf: (resource: string) => SecretName): ListedSecret {
  try {
    return { secret, journal: placeOf(nameOf(place.resource), place).journal }
  } catch (cause) {
    if (codeOf(cause) !== 'damaged') throw cause
    return { secret }
  }
}
