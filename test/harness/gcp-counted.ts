import type { SecretRef, VersionId } from '../../shared/core/ports/words.js'
import type { SecretText } from '../../shared/core/secret-text.js'
import { GcpSecretManagerAdmin } from '../../shared/stores/gcp-secret-manager/admin.js'
import type { GcpOptions } from '../../shared/stores/gcp-secret-manager.js'
import { addForeign } from './gcp.js'
import type { RequestOf } from './gcp-secret-manager/rpcs.js'
import type { GcpSecretManagerDouble } from './gcp-secret-manager.js'
import { OpenedPerProcess } from './opened-per-process.js'
import type { World } from './world.js'

/** What reads of one world still see: so many writes of each secret, from one moment on. */
export interface Lag {
  readonly writes: ReadonlyMap<string, number>
  readonly metadataUntil: number
}

/** The store, and the double that knows of each version what came before it. */
export class CountedStore extends OpenedPerProcess {
  readonly double: GcpSecretManagerDouble
  /** The adds of consumers' versions that processes sent, or were about to. */
  readonly sent: RequestOf<'AddSecretVersion'>[] = []
  /** Whether consumers read the newest version. */
  readonly readsLatest: boolean = true
  /** Since when reads are behind. */
  lag: Lag | undefined
  constructor(options: GcpOptions, double: GcpSecretManagerDouble) {
    super(() => new GcpSecretManagerAdmin(options))
    this.double = double
  }

  /** The first version is nobody's rotation, and a copy of the version before is no publication of its own. */
  publications({ key }: SecretRef): number {
    const texts = this.double.secrets.get(key)?.versions.map(({ data }) => Buffer.from(data ?? '').toString()) ?? []
    return texts.filter((text, index) => index > 0 && text !== texts[index - 1]).length
  }
  writeForeign(ref: SecretRef, value: SecretText): VersionId {
    return addForeign(this.double, ref, value)
  }
}

export function countedStoreOf({ store }: Pick<World, 'store'>): CountedStore {
  if (store instanceof CountedStore) return store
  throw new Error('The world has another store.')
}
