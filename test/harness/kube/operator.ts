import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Json, KubeApi } from './api.js'

/** stale: reads an older value · fail: the provider answers with an error · skip: does nothing · strip: takes marks away, as a parent does ·
 *  torn: of several entries the last reads an older value · empty: says synced and writes nothing · missing, retained: as the operator says of a target it left alone. */
export type OperatorFault = 'stale' | 'torn' | 'fail' | 'skip' | 'strip' | 'empty' | 'missing' | 'retained'

const path = (version: string, namespace: string, plural: string, name = ''): string =>
  `/apis/external-secrets.io/${version}/namespaces/${namespace}/${plural}${name === '' ? '' : `/${name}`}`
interface Values {
  readonly now: string
  readonly before: string
}
interface Entry {
  readonly secretKey: string
  readonly remoteRef: { readonly key: string; readonly property?: string }
}
interface WrittenTo {
  readonly name?: string
  readonly template?: { readonly data?: Readonly<Record<string, string>> }
}
const goMap = (map: Readonly<Record<string, string>> = {}): string =>
  `map[${Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}:${value}`)
    .join(' ')}]`

/** External Secrets Operator as far as it concerns us: syncs when metadata or spec change, and says so as version 2 does. */
export class Operator {
  fault: OperatorFault | undefined
  syncs = 0
  version = 'v1'
  /** The form of what it notes is not the one that is known. */
  otherHash = false
  readonly #api: KubeApi
  readonly #namespace: string
  /** What the provider holds now, and held before. */
  readonly #provider: () => Values | Promise<Values>
  readonly #synced = new Map<string, string>()
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
    this.#synced.clear()
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      const { items = [] } = await this.#api.must('GET', path(this.version, this.#namespace, 'externalsecrets'))
      for (const item of items) await this.#passOn(item)
      for (const item of items) await this.#visit(item)
      await delay(20)
    }
  }

  /** A child has its parent's annotation and no other, whatever somebody wrote there. */
  async #passOn({ metadata }: Json): Promise<void> {
    const parent = metadata?.ownerReferences?.find(({ kind }) => kind === 'ClusterExternalSecret')
    if (parent === undefined || metadata === undefined) return
    const found = await this.#api.get(`/apis/external-secrets.io/${this.version}/clusterexternalsecrets/${parent.name}`)
    const wanted = found?.metadata?.annotations?.['external-secrets.io/force-sync']
    const strip = Object.fromEntries(Object.keys(metadata.annotations ?? {}).map((key) => [key, null]))
    const annotations = { ...strip, 'external-secrets.io/force-sync': wanted ?? null }
    await this.#api.patch(path(this.version, this.#namespace, 'externalsecrets', metadata.name), { metadata: { annotations } })
  }

  async #visit(item: Json): Promise<void> {
    const { metadata, spec } = item as { metadata: NonNullable<Json['metadata']>; spec: { target?: WrittenTo; data?: readonly Entry[] } }
    const seen = `${metadata.generation} ${goMap(metadata.annotations)} ${goMap(metadata.labels)}`
    if (this.fault === 'skip' || this.#synced.get(metadata.name) === seen) return
    const marks = Object.keys(metadata.annotations ?? {}).filter((key) => key.startsWith('keyturn/'))
    if (this.fault === 'strip' && marks.length > 0) {
      await this.#api.patch(path(this.version, this.#namespace, 'externalsecrets', metadata.name), {
        metadata: { annotations: Object.fromEntries(marks.map((key) => [key, null])) },
      })
      return
    }
    this.#synced.set(metadata.name, seen)
    this.syncs++
    const writes = this.fault === undefined || this.fault === 'stale' || this.fault === 'torn'
    if (writes) await this.#write(spec, metadata.name, await this.#provider())
    const hash = createHash('sha3-224')
      .update(`{annotations:${goMap(metadata.annotations)} labels:${goMap(metadata.labels)}}`)
      .digest('hex')
    const noted = this.otherHash ? hash.slice(0, 40) : hash
    const version = this.fault === 'fail' ? {} : { syncedResourceVersion: `${metadata.generation}-${noted}` }
    // With its resource version: a status that was computed from older metadata is refused, and done again.
    const status = { metadata: { resourceVersion: metadata.resourceVersion }, status: { ...version, conditions: [this.#condition()] } }
    const answer = await this.#api.call(
      'PATCH',
      `${path(this.version, this.#namespace, 'externalsecrets', metadata.name)}/status`,
      status,
      'application/merge-patch+json',
    )
    if (answer.status === 409) this.#synced.delete(metadata.name)
    else if (answer.status !== 200) throw new Error(`status: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  #condition() {
    const ok = {
      type: 'Ready',
      status: 'True',
      reason: 'SecretSynced',
      message: 'secret synced',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    }
    if (this.fault === 'fail')
      return { ...ok, status: 'False', reason: 'SecretSyncedError', message: 'could not get secret data from provider' }
    if (this.fault === 'missing') return { ...ok, reason: 'SecretMissing' }
    return this.fault === 'retained' ? { ...ok, message: 'secret retained due to DeletionPolicy=Retain' } : ok
  }

  async #write(
    { target, data: entries = [] }: { target?: WrittenTo; data?: readonly Entry[] },
    own: string,
    values: Values,
  ): Promise<void> {
    const name = target?.name ?? own
    const fieldsOf = (stale: boolean) => JSON.parse(stale ? values.before : values.now) as Record<string, unknown>
    const value = fieldsOf(this.fault === 'stale')
    const rendered = Object.entries(target?.template?.data ?? {}).map(([key, one]): [string, unknown] => [
      key,
      one.replace(/\{\{ \.(\w+) \}\}/g, (_, field: string) => String(value[field])),
    ])
    // Each entry is a read of its own.
    const single = entries.map(({ secretKey, remoteRef: { property } }, index): [string, unknown] => {
      const read = fieldsOf(this.fault === 'stale' || (this.fault === 'torn' && index === entries.length - 1))
      return [secretKey, property === undefined ? JSON.stringify(read) : read[property]]
    })
    const data = Object.fromEntries(
      (rendered.length > 0 ? rendered : single.length > 0 ? single : Object.entries(value)).map(([key, one]) => [
        key,
        Buffer.from(typeof one === 'string' ? one : JSON.stringify(one)).toString('base64'),
      ]),
    )
    const secrets = `/api/v1/namespaces/${this.#namespace}/secrets`
    if (await this.#api.get(`${secrets}/${name}`)) await this.#api.patch(`${secrets}/${name}`, { data })
    else await this.#api.must('POST', secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data })
  }
}
