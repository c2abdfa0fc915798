import * as v from 'valibot'
import { RotationError } from '../../core/errors.js'
import { journal as journalForm, time } from '../../core/journal-form.js'
import { parsedJson } from '../../core/json.js'
import { optional } from '../../core/optional.js'
import type { Journal } from '../../core/ports/store.js'
import type { Policy } from '../../core/ports/words.js'
import { type Clients, callMsMax } from './client.js'
import { type Call, CallError, calling, isAbsent, isWord } from './errors.js'
import { setupError } from './explain.js'
import { keyOf, nameOf, type SecretName, shownOf } from './names.js'

/** What is kept beside a secret, in a blob of its own. */
export interface Document {
  /** The one that counts. A version that somebody wrote without tags stays managed. */
  readonly policy: Policy
  readonly journal: Journal | null
  /** The notice that was written to a version that others made. */
  readonly notice?: { readonly everyMs: number; readonly expiresAt: number }
}
/** A document as it was read or written, under its etag. */
export interface Held {
  readonly document: Document
  readonly etag: string
}
/** A document of a listing, as a text; absent where the listing has no room for it. */
export interface ListedDocument {
  readonly name: SecretName
  readonly text?: string
}

const notice = v.object({ everyMs: time, expiresAt: time })
const form = v.object({
  policy: v.record(v.string(), v.string()),
  journal: v.nullable(journalForm),
  notice: v.exactOptional(notice),
})
/** A listing shows metadata, and 8 KiB of them with their names. Longer documents are only in the blob itself. */
const metadataCharactersMax = 7000
const metadataKey = 'keyturn'
const countMax = 8
/** How long a whole listing may take, in milliseconds: 5000 blobs are one call. */
const listMsMax = 300_000
/** How long a lease of the service may be, in seconds, if it is to end by itself. */
const leaseSeconds = { min: 15, max: 60 } as const
/** The shortest that a lease is, in milliseconds. */
export const leaseMsMin = leaseSeconds.min * 1000
/** By how much it ends before the claim, in milliseconds, so that whoever may take that over is not locked out. */
const leaseMsBefore = 5000
const secondsOf = (leaseMs: number): number =>
  Math.min(Math.max(Math.floor((leaseMs - leaseMsBefore) / 1000), leaseSeconds.min), leaseSeconds.max)

/** Non-ASCII characters cannot be in a header. */
const asciiOf = (text: string): string => text.replace(/[^\x20-\x7e]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)

/**
 * The blobs that have journals: one for each secret. Every write is conditional. Without a storage account nothing is there, and nothing is written.
 */
export class Documents {
  readonly #clients: Clients
  readonly #last = new Map<string, Held>()
  constructor(clients: Clients) {
    this.#clients = clients
  }

  /** Whether a storage account keeps them at all. */
  get areKept(): boolean {
    return this.#clients.hasStorage
  }
  /** undefined where there is none. damaged for one that was cut off or edited. */
  async read(name: SecretName): Promise<Held | undefined> {
    if (!this.#clients.hasStorage) return undefined
    try {
      const answer = await this.#call('readBlob', name, (blob, options) => blob.download(0, undefined, options))
      const text = await this.#call('readBlob', name, () => textOf(answer.readableStreamBody))
      return this.#keep(name, { document: readDocument(text, name), etag: answer.etag ?? '' })
    } catch (cause) {
      if (!isAbsent(cause)) throw cause
      this.#last.delete(keyOf(name))
      return undefined
    }
  }
  /** As this process read or wrote it last. What rests on it is conditional on its etag. */
  last = (name: SecretName): Held | undefined => this.#last.get(keyOf(name))

  /** Writes it only while the blob is as it was, under the lease if there is one. `etag`: undefined where there is no blob. CallError. */
  async write(name: SecretName, document: Document, etag: string | undefined, leaseId?: string): Promise<Held> {
    const text = asciiOf(JSON.stringify(document))
    const conditions = { ...(etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag }), ...optional('leaseId', leaseId) }
    const metadata = text.length <= metadataCharactersMax ? { metadata: { [metadataKey]: text } } : {}
    const blobHTTPHeaders = { blobContentType: 'application/json' }
    this.#last.delete(keyOf(name)) // whether it was written is not known where no answer comes
    const answer = await this.#call('writeBlob', name, (blob, options) =>
      blob.upload(text, text.length, { ...options, ...metadata, conditions, blobHTTPHeaders }),
    )
    return this.#keep(name, { document, etag: answer.etag ?? '' })
  }
  /** Removes it only while it is as it was; no-op where it is gone. */
  async remove(name: SecretName, etag: string): Promise<void> {
    this.#last.delete(keyOf(name))
    try {
      await this.#call('deleteBlob', name, (blob, options) => blob.delete({ ...options, conditions: { ifMatch: etag } }))
    } catch (cause) {
      if (!isAbsent(cause)) throw cause
    }
  }

  /** Takes the service's lease for so long, a minute at most; again under the same id it begins again. False where another one is alive. */
  async acquire(name: SecretName, leaseId: string, leaseMs: number): Promise<boolean> {
    return unlessHeld(
      this.#call('acquireLease', name, (blob, options) => blob.getBlobLeaseClient(leaseId).acquireLease(secondsOf(leaseMs), options)),
    )
  }
  /** Hands a lease on from one id to another. False where that one has ended. */
  async change(name: SecretName, from: string, to: string): Promise<boolean> {
    return unlessHeld(this.#call('changeLease', name, (blob, options) => blob.getBlobLeaseClient(from).changeLease(to, options)))
  }
  /** Begins its time again. False where the lease was broken, or is somebody else's. */
  async renew(name: SecretName, leaseId: string): Promise<boolean> {
    return unlessHeld(this.#call('renewLease', name, (blob, options) => blob.getBlobLeaseClient(leaseId).renewLease(options)))
  }
  /** Gives it back; no-op where it has ended. */
  async release(name: SecretName, leaseId: string): Promise<void> {
    await unlessHeld(this.#call('releaseLease', name, (blob, options) => blob.getBlobLeaseClient(leaseId).releaseLease(options)))
  }

  /** Makes the container, with the rights of a person; no-op where it is there. */
  async makeContainer(name: SecretName): Promise<void> {
    const container = this.#clients.containerFor(shownOf(name))
    await explained(name, new URL(container.url).host, calling('createContainer', container.createIfNotExists(timed())))
  }
  /** The documents of the secrets of a vault, with many of them on a page. None where there is no container. */
  async *list(host: string): AsyncIterable<readonly ListedDocument[]> {
    if (!this.#clients.hasStorage) return
    const about = { host, secret: '' }
    const container = this.#clients.containerFor(shownOf(about))
    const pages = container
      .listBlobsFlat({ prefix: `${host}/`, includeMetadata: true, abortSignal: AbortSignal.timeout(listMsMax) })
      .byPage()
    for (;;) {
      const next = await explained(about, new URL(container.url).host, calling('listBlobs', pages.next())).catch((cause: unknown) => {
        if (isWord(cause, 'ContainerNotFound')) return undefined
        throw cause
      })
      if (next === undefined || next.done) return
      yield next.value.segment.blobItems.map(({ name, metadata }) => ({ name: nameOf(name), ...optional('text', metadata?.[metadataKey]) }))
    }
  }

  #keep(name: SecretName, held: Held): Held {
    this.#last.delete(keyOf(name))
    this.#last.set(keyOf(name), held)
    for (const key of this.#last.keys()) if (this.#last.size > countMax) this.#last.delete(key)
    return held
  }
  async #call<T>(call: Call, name: SecretName, make: (blob: Blob, options: ReturnType<typeof timed>) => Promise<T>): Promise<T> {
    const container = this.#clients.containerFor(shownOf(name))
    return explained(name, new URL(container.url).host, calling(call, make(container.getBlockBlobClient(keyOf(name)), timed())))
  }
}
type Blob = ReturnType<ReturnType<Clients['containerFor']>['getBlockBlobClient']>

const timed = () => ({ abortSignal: AbortSignal.timeout(callMsMax) })
/** Of what is missing whoever reads makes something. */
const explained = <T>(name: SecretName, host: string, answer: Promise<T>): Promise<T> =>
  answer.catch((cause: unknown) => {
    if (isAbsent(cause) && !(cause instanceof CallError && cause.call === 'writeBlob')) throw cause
    throw setupError(cause, { shown: shownOf(name), host }) ?? cause
  })

async function unlessHeld(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer
    return true
  } catch (cause) {
    if (isWord(cause, ...leaseWords) || isAbsent(cause)) return false // a lease goes with its blob
    throw cause
  }
}
/** What the service answers to whoever does not have the lease, or no longer. */
const leaseWords = [
  'LeaseAlreadyPresent',
  'LeaseIdMismatchWithLeaseOperation',
  'LeaseIsBrokenAndCannotBeRenewed',
  'LeaseIsBreakingAndCannotBeAcquired',
  'LeaseIsBreakingAndCannotBeChanged',
  'LeaseNotPresentWithLeaseOperation',
  'LeaseLost',
]

async function textOf(stream: NodeJS.ReadableStream | undefined): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of stream ?? []) chunks.push(Buffer.from(chunk))
  } catch (cause) {
    // The client's own error of an answer that ended early has neither a status nor a code.
    throw Object.assign(new Error('The answer ended early.', { cause }), { code: 'ECONNRESET' })
  }
  return Buffer.concat(chunks).toString()
}

function readDocument(text: string, name: SecretName): Document {
  const result = v.safeParse(form, parsedJson(text))
  if (result.success) return result.output
  throw new RotationError('damaged', `The blob ${keyOf(name)} was cut off or edited.`, {
    next: 'Restore it from an older version or a snapshot, or delete it. Keyturn then reads everything again.',
  })
}
/** Reads a document of a listing. undefined for one that was cut off or edited: the look at that secret says so. */
export function listedDocument(text: string | undefined): Document | undefined {
  const result = text === undefined ? undefined : v.safeParse(form, parsedJson(text))
  return result?.success ? result.output : undefined
}
