import { assertClaim } from '../../core/claims.js'
import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Claim, SecretRef, VersionId, VersionInfo } from '../../core/ports/index.js'
import { dropOldest, type FileDocument } from './document.js'
import { infoOf } from './state.js'

/** Makes a conflict error: the state that the write was based on is gone. */
export const conflictError = (ref: SecretRef): RotationError =>
  new RotationError('conflict', `Another process changed ${ref.shown} meanwhile.`, { next: 'The state is read again.' })

/** The document without a staged value, which counts as refused. conflict. */
export function without(document: FileDocument, claim: Claim, version: VersionId): FileDocument {
  const { staged, intent: _, ...rotation } = assertClaim(claim, document.journal)
  const refusals = rotation.refusals + (staged === version && rotation.base === document.current ? 1 : 0)
  const kept = staged === version ? {} : optional('staged', staged)
  const journal = { ...(document.journal ?? { retiring: [] }), rotation: { ...rotation, refusals, ...kept } }
  const versions = document.versions.filter(({ id, staged: mark }) => id !== version || mark === undefined)
  return { ...document, versions, journal }
}

/** The document with a staged value as current, and the rotation closed; unchanged where this token has published already. conflict. */
export function withCurrent(document: FileDocument, claim: Claim, version: VersionId, now: number): [FileDocument, VersionInfo] {
  const before = document.versions.find(({ ours }) => ours === claim.token)
  if (before && document.current === before.id) return [document, infoOf(before)]
  const { staged: _, ...rotation } = assertClaim(claim, document.journal)
  if (document.current !== claim.base) throw conflictError(claim.ref)
  const found = document.versions.find(({ id, staged }) => id === version && staged?.token === claim.token)
  if (found === undefined) throw conflictError(claim.ref)
  const { staged: __, ...rest } = found
  const published = { ...rest, ours: claim.token }
  const journal = { ...(document.journal ?? { retiring: [] }), rotation: { ...rotation, published: published.id, leaseUntil: 0 } }
  const versions = document.versions.map((one) => (one === found ? published : one))
  const next = { ...document, versions, journal, current: published.id, previous: document.current, publishedAt: now }
  return [dropOldest(next), infoOf(published)]
}
