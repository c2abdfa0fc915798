import type { VersionId } from '../../shared/core/ports/words.js'
import type { Disturbance } from '../../shared/stores/memory/others.js'
import type { CountedStore, Lag } from './gcp-counted.js'
import { StatusError } from './gcp-secret-manager/model.js'
import type { Call, Fault } from './gcp-secret-manager.js'
import type { Readers } from './stores.js'
import type { World } from './world.js'

/** How long metadata and aliases lag; lists lag for good. Less than what lies between two invocations of the matrix. */
const metadataMs = 8 * 60_000

/** What a call sees, where the reads of its world lag. */
export function lagging(lag: Lag | undefined, { name, secret, writes }: Call, store: CountedStore, now: number): Fault | undefined {
  if (lag === undefined || writes || secret === undefined) return undefined
  if (name !== 'ListSecretVersions' && now >= lag.metadataUntil) return undefined
  return { staleWrites: store.double.writesOf(secret) - (lag.writes.get(secret) ?? 0) }
}

/** What happens to a secret without anybody's wish: the double does it. */
export function disturbGcp(store: CountedStore, { ref, env }: World, event: Disturbance): void {
  const { double, sent } = store
  const place = `${ref.key}--pending`
  const again = event === 'late add' ? sent.at(-1) : event === 'older add' ? sent.at(-2) : undefined
  if (again !== undefined) double.do('AddSecretVersion', again)
  const staged = double.secrets.get(place)?.versions.at(-1)
  if (event === 'staged twice' && staged?.state === 'ENABLED')
    double.do('AddSecretVersion', { parent: place, payload: { data: staged.data ?? null } })
  if (event === 'place lost') double.do('DeleteSecret', { name: place })
  const writes = new Map([ref.key, place].map((name) => [name, double.writesOf(name)]))
  if (event === 'lag') store.lag = { writes, metadataUntil: env.time + metadataMs }
}

/** Who reads `latest`, who reads by our alias once it is there, and who reads by the number that was current at the look before. */
export function readersOf({ double, readsLatest }: CountedStore, { ref }: Pick<World, 'ref'>): Readers {
  let told: VersionId | undefined
  const read = (version: string): string | undefined => {
    try {
      const { payload } = double.do('AccessSecretVersion', { name: `${ref.key}/versions/${version}` })
      return Buffer.from(payload?.data ?? '').toString()
    } catch (cause) {
      if (cause instanceof StatusError) return undefined
      throw cause
    }
  }
  return (current) => {
    const hasAlias = double.secrets.get(ref.key)?.aliases.has('current') === true
    const wanted = [...(readsLatest ? ['latest'] : []), ...(hasAlias ? ['current'] : []), ...(told === undefined ? [] : [told])]
    told = current
    return wanted.map((reader) => ({ reader, text: read(reader) }))
  }
}
