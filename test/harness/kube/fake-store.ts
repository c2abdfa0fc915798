import { isDeepStrictEqual } from 'node:util'

/** One object of the fake API server; only what every object has is typed. */
export interface FakeObject {
  apiVersion?: string
  kind?: string
  metadata: {
    name: string
    namespace?: string
    uid: string
    generation: number
    resourceVersion: string
    creationTimestamp: string
    annotations?: Record<string, string>
    labels?: Record<string, string>
    deletionTimestamp?: string
    managedFields?: { time: string }[]
    ownerReferences?: { kind: string; name: string; uid: string }[]
  }
  spec?: Record<string, unknown>
  status?: Record<string, unknown>
  [field: string]: unknown
}

/** The API server's answer that is no success; `message` may hold anything, as the real one's. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** RFC 7396: null takes a key away. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const into = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...(target as Record<string, unknown>) } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete into[key]
    else into[key] = mergePatch(into[key], value)
  }
  return into
}

/** Objects by collection path (`/apis/apps/v1/namespaces/shop/deployments`), with the rules of generations and resource versions. */
export class FakeStore {
  readonly collections = new Map<string, Map<string, FakeObject>>()
  #version = 0

  list = (collection: string): FakeObject[] => [...(this.collections.get(collection)?.values() ?? [])]
  find = (collection: string, name: string): FakeObject | undefined => this.collections.get(collection)?.get(name)
  must(collection: string, name: string): FakeObject {
    const found = this.find(collection, name)
    if (found === undefined) throw new Refusal(404, `${collection.split('/').at(-1)} "${name}" not found`)
    return found
  }

  create(collection: string, body: Record<string, unknown>): FakeObject {
    const given = (body.metadata ?? {}) as Partial<FakeObject['metadata']>
    if (given.name === undefined) throw new Refusal(422, 'metadata.name: Required value')
    if (this.find(collection, given.name)) throw new Refusal(409, `"${given.name}" already exists`)
    const namespace = /\/namespaces\/([^/]+)\//.exec(`${collection}/`)?.[1]
    const now = new Date().toISOString()
    const id = ++this.#version
    const fixed = { uid: `uid-${id}`, generation: 1, resourceVersion: String(id), creationTimestamp: now, managedFields: [{ time: now }] }
    const made: FakeObject = { ...body, metadata: { ...given, name: given.name, ...(namespace ? { namespace } : {}), ...fixed } }
    if (!this.collections.has(collection)) this.collections.set(collection, new Map())
    this.collections.get(collection)?.set(given.name, made)
    return made
  }

  /** A merge patch of the object, or of its status alone. */
  patch(collection: string, name: string, patch: Record<string, unknown>, part: 'main' | 'status'): FakeObject {
    const before = this.must(collection, name)
    const wanted = (patch.metadata as { resourceVersion?: string } | undefined)?.resourceVersion
    if (wanted !== undefined && wanted !== before.metadata.resourceVersion)
      throw new Refusal(409, `Operation cannot be fulfilled on "${name}": the object has been modified`)
    const annotations = (patch.metadata as { annotations?: Record<string, unknown> } | undefined)?.annotations ?? {}
    // The real one answers with the whole stored object in its message.
    if (Object.values(annotations).some((value) => value !== null && typeof value !== 'string'))
      throw new Refusal(422, `the body of the request was in an unknown format: ${JSON.stringify(before)}`)
    const merged = mergePatch(before, patch) as FakeObject
    const after =
      part === 'status' ? { ...before, status: merged.status ?? {} } : { ...merged, ...(before.status ? { status: before.status } : {}) }
    return this.put(collection, before, after)
  }

  put(collection: string, before: FakeObject, after: FakeObject): FakeObject {
    const { resourceVersion: _, ...meta } = after.metadata
    const { resourceVersion: __, ...metaBefore } = before.metadata
    if (isDeepStrictEqual({ ...after, metadata: meta }, { ...before, metadata: metaBefore })) return before
    const respecified = !isDeepStrictEqual(after.spec, before.spec)
    const next: FakeObject = {
      ...after,
      metadata: {
        ...meta,
        resourceVersion: String(++this.#version),
        generation: before.metadata.generation + (respecified ? 1 : 0),
        managedFields: [{ time: new Date().toISOString() }],
      },
    }
    this.collections.get(collection)?.set(before.metadata.name, next)
    return next
  }

  remove(collection: string, name: string): void {
    this.must(collection, name)
    this.collections.get(collection)?.delete(name)
  }
}
