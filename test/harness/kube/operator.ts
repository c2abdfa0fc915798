import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Json, KubeApi } from './api.js'
import { failed, type OperatorSpec, type Outcome, writeTarget } from './operator-target.js'

/** stale: reads an older value · torn: of several entries the last reads an older value · fail: the provider answers with an error · gone: the
 *  provider has no such secret · skip: does nothing · strip: takes marks away, as a parent does · empty: says synced and writes nothing. */
export type OperatorFault = 'stale' | 'torn' | 'fail' | 'gone' | 'skip' | 'strip' | 'empty'

const path = (version: string, namespace: string, plural: string, name = ''): string =>
  `/apis/external-secrets.io/${version}/namespaces/${namespace}/${plural}${name === '' ? '' : `/${name}`}`
interface Values {
  readonly now: string
  readonly before: string
}
const goMap = (map: Readonly<Record<string, string>> = {}): string =>
  `map[${Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}:${value}`)
    .join(' ')}]`

/** The first pause after a failure, a thirtieth of the real one; each is twice as long as the one before. */
const pauseMs = 40
const pauseMsMax = 2000
/** What is known of one ExternalSecret: which metadata was handled, and when a failed sync is tried again. */
interface Handled {
  readonly seen: string
  readonly failures: number
  readonly againAt: number
}

/** External Secrets Operator as far as it concerns us: syncs when metadata or spec change, and says so as version 2 does. */
export class Operator {
  fault: OperatorFault | undefined
  syncs = 0
  /** How often it has gone through everything, whether or not there was something to do. */
  rounds = 0
  version = 'v1'
  /** The form of what it notes is not the one that is known. */
  otherHash = false
  /** Whether it passes the annotation of a ClusterExternalSecret on to its children: since 0.20 it does. */
  passesOn = true
  /** As 0.9 does: it patches its status without a lock, hashes with MD5, and notes nothing after it deleted the Secret. */
  old = false
  readonly #api: KubeApi
  readonly #namespace: string
  /** What the provider holds now, and held before. */
  readonly #provider: () => Values | Promise<Values>
  readonly #handled = new Map<string, Handled>()
  #running: Promise<void> | undefined
  #stopped = false

  constructor(api: KubeApi, namespace: string, provider: () => Values | Promise<Values>) {
    this.#api = api
    this.#namespace = namespace
    this.#provider = provider
  }
  start(): void {
    this.#running = this.#loop()
  }
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }
  /** Everything is looked at once more, as after its refresh interval. */
  refresh(): void {
    this.#handled.clear()
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      const { items = [] } = await this.#api.must('GET', path(this.version, this.#namespace, 'externalsecrets'))
      for (const item of items) await this.#passOn(item)
      for (const item of items) await this.#visit(item)
      this.rounds++
      await delay(20)
    }
  }

  /** A child has its parent's annotation and no other, whatever somebody wrote there. */
  async #passOn({ metadata }: Json): Promise<void> {
    const parent = metadata?.ownerReferences?.find(({ kind }) => kind === 'ClusterExternalSecret')
    if (parent === undefined || metadata === undefined) return
    const found = await this.#api.get(`/apis/external-secrets.io/${this.version}/clusterexternalsecrets/${parent.name}`)
    const wanted = this.passesOn ? found?.metadata?.annotations?.['external-secrets.io/force-sync'] : undefined
    const strip = Object.fromEntries(Object.keys(metadata.annotations ?? {}).map((key) => [key, null]))
    const annotations = { ...strip, 'external-secrets.io/force-sync': wanted ?? null }
    await this.#api.patch(path(this.version, this.#namespace, 'externalsecrets', metadata.name), { metadata: { annotations } })
  }

  async #visit(item: Json): Promise<void> {
    const { metadata, spec } = item as { metadata: NonNullable<Json['metadata']>; spec: OperatorSpec }
    const { name } = metadata
    const seen = `${metadata.generation} ${goMap(metadata.annotations)} ${goMap(metadata.labels)}`
    const handled = this.#handled.get(name)
    const isDone = handled?.seen === seen && Date.now() < handled.againAt
    if (this.fault === 'skip' || isDone) return
    const marks = Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith('keyturn/'))
    if (this.fault === 'strip' && marks.length > 0) {
      await this.#api.patch(path(this.version, this.#namespace, 'externalsecrets', name), {
        metadata: { annotations: Object.fromEntries(marks.map((key) => [key, null])) },
      })
      return
    }
    this.syncs++
    const outcome = await this.#sync(item, spec)
    const failures = handled?.seen === seen ? handled.failures + 1 : 0
    const againAt = outcome.again ? Date.now() + Math.min(pauseMsMax, pauseMs * 2 ** failures) : Number.POSITIVE_INFINITY
    this.#handled.set(name, { seen, failures, againAt })
    const written = await this.#writeStatus(item, outcome)
    // A status that was computed from older metadata is refused, and done again.
    if (written === 409) this.#handled.delete(name)
  }

  async #sync(item: Json, spec: OperatorSpec): Promise<Outcome> {
    const { fault } = this
    const { now, before } = await this.#provider()
    if (fault === 'fail') return failed('could not get secret data from provider')
    if (fault === 'empty') return { status: 'True', reason: 'SecretSynced', message: 'secret synced' }
    const last = (spec.data ?? []).length - 1
    const reads = (entry: number): string | undefined => {
      if (fault === 'gone') return undefined
      return fault === 'stale' || (fault === 'torn' && entry === last) ? before : now
    }
    return writeTarget(this.#api, this.#namespace, item, spec, reads, this.old)
  }

  async #writeStatus({ metadata }: Json, { status, reason, message }: Outcome): Promise<number> {
    const condition = { type: 'Ready', status, reason, message, lastTransitionTime: '2026-01-01T00:00:00Z' }
    const isNoted = status === 'True' && !(this.old && reason === 'SecretDeleted')
    const noted = isNoted ? { syncedResourceVersion: `${metadata?.generation}-${this.#hashOf(metadata)}` } : {}
    const lock = this.old ? {} : { metadata: { resourceVersion: metadata?.resourceVersion } }
    const answer = await this.#api.call(
      'PATCH',
      `${path(this.version, this.#namespace, 'externalsecrets', metadata?.name)}/status`,
      { ...lock, status: { ...noted, conditions: [condition] } },
      'application/merge-patch+json',
    )
    if (answer.status !== 200 && answer.status !== 409) throw new Error(`status: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.status
  }
  #hashOf(metadata: Json['metadata']): string {
    const text = `{annotations:${goMap(metadata?.annotations)} labels:${goMap(metadata?.labels)}}`
    const hash = createHash(this.old ? 'md5' : 'sha3-224')
      .update(text)
      .digest('hex')
    return this.otherHash ? hash.slice(0, 40) : hash
  }
}
