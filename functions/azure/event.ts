import * as v from 'valibot'
import { RotationError } from '../../shared/core/errors.js'
import type { VersionId } from '../../shared/core/ports/words.js'

/** What an event of a vault is about. */
export interface VaultEvent {
  /** near its end: rotate · published: tell consumers. */
  readonly says: 'ends' | 'published'
  /** The secret, as the store resolves it. */
  readonly ref: string
  readonly version: VersionId
  /** When it happened, in epoch milliseconds by the clock of the service. */
  readonly at: number
}

const says: Readonly<Record<string, VaultEvent['says']>> = {
  'Microsoft.KeyVault.SecretNearExpiry': 'ends',
  'Microsoft.KeyVault.SecretExpired': 'ends',
  'Microsoft.KeyVault.SecretNewVersionCreated': 'published',
}
const text = v.pipe(v.string(), v.maxLength(512))
/** The names of Event Grid's own schema, and those of CloudEvents 1.0: an event has one of each pair. */
const envelope = v.pipe(
  v.object({
    eventType: v.exactOptional(text),
    type: v.exactOptional(text),
    eventTime: v.exactOptional(text),
    time: v.exactOptional(text),
  }),
  v.transform(({ eventType, type, eventTime, time }) => ({ type: eventType ?? type ?? '', at: Date.parse(eventTime ?? time ?? '') })),
)
/** The service writes Id and ObjectType, and its own typings id and objectType. */
const lowered = (value: unknown): unknown =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name.toLowerCase(), one]))
    : value
const data = v.pipe(
  v.unknown(),
  v.transform(lowered),
  v.object({
    objecttype: v.pipe(text, v.toLowerCase()),
    id: v.pipe(text, v.regex(/^https:\/\/[^/?#@\s]+\/secrets\/[0-9A-Za-z-]{1,127}\/[0-9a-fA-F]{32}$/)),
  }),
)

/**
 * Reads an event of a vault, in Event Grid's schema or as a CloudEvent; undefined for one that asks for nothing: of a key, of a certificate, or of
 * another kind. bad_event for what is no such event, with its field.
 */
export function readEvent(event: unknown): VaultEvent | undefined {
  const head = v.safeParse(envelope, event)
  if (!head.success) return failEvent(fieldOf(head.issues))
  const kind = says[head.output.type]
  if (head.output.type === '') return failEvent('eventType')
  if (kind === undefined) return undefined
  const body = v.safeParse(data, (event as { readonly data?: unknown }).data)
  if (!body.success) return failEvent(`data.${fieldOf(body.issues)}`)
  const { objecttype, id } = body.output
  if (objecttype !== 'secret') return undefined
  if (Number.isNaN(head.output.at)) return failEvent('eventTime')
  const at = id.lastIndexOf('/')
  return {
    says: kind,
    ref: `azure:${id.slice('https://'.length, at).replace('/secrets/', '/')}`,
    version: versionIn(id, at),
    at: head.output.at,
  }
}

const versionIn = (id: string, at: number): VersionId => id.slice(at + 1).toLowerCase() as VersionId
const fieldOf = (issues: readonly v.BaseIssue<unknown>[]): string => issues[0]?.path?.map(({ key }) => String(key)).join('.') ?? 'event'

function failEvent(field: string): never {
  throw new RotationError('bad_event', `The event is not one of a vault: its field ${field} is not readable.`, {
    field,
    next: 'Only the event subscriptions of the vaults may be the source of this function.',
  })
}
