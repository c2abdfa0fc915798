import { optional } from '../../core/optional.js'
import type { NotifierContext } from '../../core/ports/notifier.js'
import type { Cluster } from './cluster.js'
import type { ExternalSecret } from './objects.js'
import { askedAt, forceSyncKey, hasToken, isMarkedBy, type Mark, type Source } from './sync.js'

const askAgainMs = 300_000

/** What the first look did, or the ExternalSecret once it has our mark. */
export type Poked = { readonly state: string; readonly marked?: boolean } | { readonly externalSecret: ExternalSecret }

/** What a consumer names, as it is now, and whether it has our mark. `name`: of the ExternalSecret, which may not be there yet. */
export async function findSource(
  mark: Mark,
  { externalSecret: own, clusterExternalSecret: parent }: Source,
  cluster: Cluster,
): Promise<{ readonly name: string; readonly externalSecret?: ExternalSecret; readonly asked: boolean }> {
  const name = parent === undefined ? (own ?? '') : await cluster.childName(parent)
  const externalSecret = await cluster.externalSecret(name)
  const annotations = externalSecret?.metadata.annotations
  const asked = parent === undefined ? isMarkedBy(annotations, mark) : hasToken(annotations?.[forceSyncKey], mark)
  return { name, asked, ...optional('externalSecret', externalSecret) }
}

/** Makes the one write of the first look: our mark on the ExternalSecret, or on the parent that passes it on. */
export async function poke(mark: Mark, wanted: Source, cluster: Cluster, now: number): Promise<Poked> {
  const { clusterExternalSecret: parent } = wanted
  const { name, externalSecret, asked } = await findSource(mark, wanted, cluster)
  if (externalSecret && asked) return { externalSecret }
  if (parent !== undefined) return pokeParent(mark, parent, cluster, now)
  if (externalSecret === undefined) throw cluster.missingError('ExternalSecret', name)
  const marked = await cluster.markExternalSecret(externalSecret, mark, now)
  if (marked) return { state: `${name} was asked to sync`, marked }
  return { state: `${name} changed meanwhile, and is looked at again`, marked }
}

async function pokeParent(mark: Mark, parent: string, cluster: Cluster, now: number): Promise<Poked> {
  if (await cluster.markParent(parent, mark, now)) return { state: `${parent} was asked to sync` }
  return { state: `${parent} is marked, its ExternalSecret not yet (an operator before 0.20 never passes the mark on)` }
}

/**
 * Asks once more, five minutes after the last request, where only that can help: the operator holds another value (it may have asked a replica of the
 * store that was behind), or it is done until its refreshInterval. The marks say when we asked; without that, the receipt does.
 */
export async function askedAgain(
  mark: Mark,
  { clusterExternalSecret: parent }: Source,
  cluster: Cluster,
  externalSecret: ExternalSecret,
  { receipt, env }: NotifierContext,
): Promise<boolean> {
  const now = env.now()
  const at = askedAt(externalSecret, mark) ?? receipt?.at
  // A request from the future comes from a clock that was ahead: nobody waits for that.
  if (at === undefined || Math.abs(now - at) < askAgainMs) return false
  return parent === undefined ? cluster.markExternalSecret(externalSecret, mark, now) : cluster.markParent(parent, mark, now, true)
}
