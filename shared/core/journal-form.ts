import * as v from 'valibot'
import { type Code, codes } from './ports/errors.js'
import { type CredentialId, consumerPhases, requestKinds, type Token, type VersionId } from './ports/words.js'

/** An id of a version. */
export const id = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.transform((text) => text as VersionId),
)
/** A token of a rotation. */
export const token = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.transform((text) => text as Token),
)
/** Epoch milliseconds, or a count. */
export const time = v.pipe(v.number(), v.finite())
/** What kind of request began a rotation. */
export const kind = v.picklist(requestKinds)
const code = v.picklist(Object.keys(codes) as Code[])

const rotation = v.object({
  token,
  kind,
  base: v.nullable(id),
  reason: v.exactOptional(v.string()),
  staged: v.exactOptional(id),
  minting: v.exactOptional(v.literal(true)),
  intent: v.exactOptional(v.literal(true)),
  before: v.exactOptional(v.array(id)),
  published: v.exactOptional(id),
  overtaken: v.exactOptional(v.literal(true)),
  holder: v.string(),
  attempt: time,
  leaseUntil: time,
  refusals: time,
})
const retiring = v.object({
  id: v.pipe(
    v.string(),
    v.transform((text) => text as CredentialId),
  ),
  version: id,
  since: time,
  notBefore: time,
  state: v.picklist(['waiting', 'undeclared', 'armed', 'disabled']),
  seenInUse: v.exactOptional(time),
  unusedSince: v.exactOptional(time),
  askedAt: v.exactOptional(time),
  holder: v.exactOptional(v.string()),
  leaseUntil: v.exactOptional(time),
})
const seen = v.object({
  version: id,
  phase: v.picklist(consumerPhases),
  at: time,
  again: v.exactOptional(time),
  code: v.exactOptional(code),
  evidence: v.exactOptional(v.string()),
  received: v.exactOptional(v.literal(true)),
})
/** The journal as a store keeps it: what does not have this form was cut off or edited without us. */
export const journal = v.object({
  rotation: v.exactOptional(rotation),
  code: v.exactOptional(code),
  announced: v.exactOptional(v.nullable(id)),
  sequence: v.exactOptional(v.object({ version: id, value: time })),
  reckoned: v.exactOptional(v.object({ version: id, at: time, sequence: v.exactOptional(time) })),
  unproven: v.exactOptional(id),
  condemned: v.exactOptional(v.array(id)),
  retiring: v.array(retiring),
  seen: v.exactOptional(v.record(v.string(), seen)),
  checkedAt: v.exactOptional(time),
  checked: v.exactOptional(v.object({ version: id, code: v.exactOptional(code), expiresAt: v.exactOptional(time) })),
})
