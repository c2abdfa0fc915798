import { writeRates } from './model.js'
import type { RpcName } from './rpcs.js'

const perSecret: readonly RpcName[] = ['AddSecretVersion', 'UpdateSecret']
const perVersion: readonly RpcName[] = ['EnableSecretVersion', 'DisableSecretVersion', 'DestroySecretVersion']

/** Counts the writes of one secret, and of the state of one version, in the last second of the test's clock. */
export class Pace {
  readonly #times = new Map<string, number[]>()
  clear = (): void => this.#times.clear()

  /** False if the write comes too early; only one that is taken counts. */
  take(name: RpcName, resource: string, now: number): boolean {
    const kind = perSecret.includes(name) ? 'secret' : perVersion.includes(name) ? 'version' : undefined
    if (kind === undefined) return true
    const max = writeRates[resource.includes('/locations/') ? 'regional' : 'global'][kind]
    const key = `${kind} ${resource}`
    const recent = (this.#times.get(key) ?? []).filter((at) => now - at < 1000)
    this.#times.set(key, recent)
    if (recent.length >= max) return false
    recent.push(now)
    return true
  }
}
