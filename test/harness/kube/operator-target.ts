import { jsonFields } from '../../../shared/core/shapes/json.js'
import type { Json, KubeApi } from './api.js'

/** What an ExternalSecret asks for, as far as tests write it. */
export interface OperatorSpec {
  readonly target?: {
    readonly name?: string
    readonly creationPolicy?: string
    readonly deletionPolicy?: string
    readonly immutable?: boolean
    readonly manifest?: object
    readonly template?: { readonly data?: Readonly<Record<string, string>> }
  }
  readonly data?: readonly { readonly secretKey: string; readonly remoteRef: { readonly key: string; readonly property?: string } }[]
}
/** What a read of the provider gave, for entry number n; undefined where it has no such secret. */
export type Reads = (entry: number) => string | undefined

/** How a sync ended. `again`: the operator tries by itself once more. */
export interface Outcome {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
  readonly again?: true
}
const synced: Outcome = { status: 'True', reason: 'SecretSynced', message: 'secret synced' }
/** A failure that is tried again by itself, with growing pauses. */
export const failed = (message: string): Outcome => ({ status: 'False', reason: 'SecretSyncedError', message, again: true })
const refused = (message: string): Outcome => ({ status: 'False', reason: 'SecretSyncedError', message })

/** What a store that keeps the bytes of a field gives for it: a text as it reads, null as nothing. */
function bytesOf(value: string): ReadonlyMap<string, string> {
  const rawOf = (offset: number, length: number): string => value.slice(offset, offset + length)
  return new Map(
    jsonFields(value).map(({ name, value: one, offset, length }) => {
      if (typeof one === 'string') return [name, one]
      return [name, one === null ? '' : rawOf(offset, length)]
    }),
  )
}

/** The data of the Secret; empty where the provider has nothing. Each entry is a read of its own. */
function dataOf({ target, data: entries = [] }: OperatorSpec, reads: Reads): ReadonlyMap<string, string> {
  const first = reads(0)
  if (first === undefined) return new Map()
  const rendered = Object.entries(target?.template?.data ?? {})
  if (rendered.length > 0) {
    const fields = bytesOf(first)
    return new Map(rendered.map(([key, text]) => [key, text.replace(/\{\{ \.(\w+) \}\}/g, (_, field: string) => fields.get(field) ?? '')]))
  }
  if (entries.length === 0) return new Map([...bytesOf(first)].map(([name, text]) => [name.replace(/[^\p{L}\p{N}\-._]/gu, '_'), text]))
  return new Map(
    entries.map(({ secretKey, remoteRef: { property } }, index) => {
      const read = reads(index) ?? ''
      return [secretKey, property === undefined ? read : (bytesOf(read).get(property) ?? '')]
    }),
  )
}

/** Writes the Secret of an ExternalSecret, or says why it is left alone. `old`: as 0.9 says it, which tries again whatever keeps it from writing. */
export async function writeTarget(
  api: KubeApi,
  namespace: string,
  owner: Json,
  spec: OperatorSpec,
  reads: Reads,
  old: boolean,
): Promise<Outcome> {
  const { target: { creationPolicy = 'Owner', deletionPolicy = 'Retain', ...target } = {} } = spec
  if (target.manifest !== undefined) return { ...synced, reason: 'ResourceSynced', message: 'resource synced' }
  const name = target.name ?? owner.metadata?.name ?? ''
  const secrets = `/api/v1/namespaces/${namespace}/secrets`
  const existing = await api.get(`${secrets}/${name}`)
  if (target.immutable === true && existing !== undefined) return synced
  const data = dataOf(spec, reads)
  if (data.size === 0 && deletionPolicy === 'Retain') return { ...synced, message: 'secret retained due to DeletionPolicy=Retain' }
  if (data.size === 0 && deletionPolicy === 'Delete') {
    if (existing !== undefined) await api.must('DELETE', `${secrets}/${name}`)
    return { ...synced, reason: 'SecretDeleted', message: 'secret deleted due to DeletionPolicy=Delete' }
  }
  if (creationPolicy === 'None') return synced
  if (creationPolicy === 'Merge' && existing === undefined)
    return { ...synced, reason: 'SecretMissing', message: 'secret will not be created due to CreationPolicy=Merge' }
  const others = (existing?.metadata?.ownerReferences ?? []).filter(({ kind }) => kind === 'ExternalSecret')
  if (others.some((one) => one.name !== owner.metadata?.name))
    return old ? failed('could not update Secret') : refused('target is owned by another ExternalSecret')
  if (existing?.immutable === true) return old ? failed('could not update Secret') : refused('could not update secret, target is immutable')
  const own = {
    apiVersion: owner.apiVersion,
    kind: 'ExternalSecret',
    name: owner.metadata?.name,
    uid: owner.metadata?.uid,
    controller: true,
  }
  const metadata = { name, ...(creationPolicy === 'Owner' ? { ownerReferences: [own] } : {}) }
  const encoded = Object.fromEntries([...data].map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
  const answer =
    existing === undefined
      ? await api.call('POST', secrets, { apiVersion: 'v1', kind: 'Secret', metadata, data: encoded })
      : await api.call('PATCH', `${secrets}/${name}`, { metadata, data: encoded }, 'application/merge-patch+json')
  return answer.status < 300 ? synced : failed('could not update secret')
}
