import { createHash } from 'node:crypto'
import { RotationError } from '../../core/errors.js'
import type { OpenRotation, SecretRef } from '../../core/ports/index.js'
import { overtakenError } from '../../core/unfenced/errors.js'
import type { Document, Documents, Held } from './documents.js'
import { isWord } from './errors.js'
import { nameOf } from './names.js'

/** The service's lease of a claim: its id follows from the claim, so that whoever has the claim can use it, in any process. A GUID. */
export function leaseIdOf({ token, holder }: Pick<OpenRotation, 'token' | 'holder'>): string {
  const hash = createHash('sha256')
    .update(JSON.stringify(['lease', token, holder]))
    .digest('hex')
  return [hash.slice(0, 8), hash.slice(8, 12), `8${hash.slice(13, 16)}`, `a${hash.slice(17, 20)}`, hash.slice(20, 32)].join('-')
}

const noLease = ['LeaseNotPresentWithBlobOperation', 'LeaseLost']
const otherLease = ['LeaseIdMismatchWithBlobOperation']
const changed = ['ConditionNotMet', 'BlobAlreadyExists']

/** A write of a document, and what it is conditional on. */
export interface Write {
  readonly ref: SecretRef
  readonly document: Document
  /** undefined: there is no blob. */
  readonly etag: string | undefined
}

/** Writes under a lease that has to be ours. One that has merely ended is renewed; one that was broken is not. conflict. */
export async function writeHolding(documents: Documents, { ref, document, etag }: Write, leaseId: string): Promise<Held> {
  const name = nameOf(ref.key)
  const write = () => documents.write(name, document, etag, leaseId).catch(explain(ref))
  try {
    return await documents.write(name, document, etag, leaseId)
  } catch (cause) {
    if (!isWord(cause, ...noLease)) return explain(ref)(cause)
    if (await documents.renew(name, leaseId)) return write()
    throw leaseLostError(ref)
  }
}

/**
 * Writes whether the blob has a lease or not. `leaseId`: the one that it may have, and that the writer may use; `likely`: which is tried first.
 * locked where it has another one; conflict.
 */
export async function writeBeside(
  documents: Documents,
  { ref, document, etag }: Write,
  leaseId: string | undefined,
  likely: boolean,
): Promise<Held> {
  const name = nameOf(ref.key)
  const [first, second] = likely ? [leaseId, undefined] : [undefined, leaseId]
  try {
    return await documents.write(name, document, etag, first)
  } catch (cause) {
    const isOther = leaseId !== undefined && isWord(cause, ...noLease, 'LeaseIdMissing')
    return isOther ? documents.write(name, document, etag, second).catch(explain(ref)) : explain(ref)(cause)
  }
}

/** Says what a refused condition means. */
const explain =
  (ref: SecretRef) =>
  (cause: unknown): never => {
    if (isWord(cause, ...changed)) throw overtakenError(ref)
    if (isWord(cause, ...noLease)) throw leaseLostError(ref)
    if (!isWord(cause, ...otherLease, 'LeaseIdMissing')) throw cause
    throw new RotationError('locked', `Another process has the lease of ${ref.shown}.`, {
      cause,
      next: 'Try again in a minute: it ends then, unless that process is still at work.',
    })
  }

/** Makes the error of a process whose lease was broken, or taken over. */
export const leaseLostError = ({ shown }: SecretRef): RotationError =>
  new RotationError('conflict', `The lease of ${shown} was broken or taken over: nothing more is written under it.`, {
    next: 'The state is read again.',
  })
