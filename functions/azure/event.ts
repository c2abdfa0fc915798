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
const maybe = v.nullish(text)
/** The names of Event Grid's own schema, and those of CloudEvents 1.0: an event has one of each pair. */
const envelope = v.pipe(
  v.object({
    eventType: maybe,
    type: maybe,
    eventTime: maybe,
    time: maybe,
  }),
  v.transform(({ eventType, type, eventTime, time }) => ({ type: eventType ?? type ?? '', at: Date.parse(eventTime ?? time ?? '') })),
)
/** The service writes Id and ObjectType, and its own typings id and objectType. */
const lowered = (value: unknown): unknown =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name.toLowerCase(), one]))
    : value
const idForm = /^https:\/\/([a-z0-9.-]+)(?::443)?\/secrets\/([0-9a-z-]{1,127})\/([0-9a-f]{32})$/
const data = v.pipe(
  v.unknown(),
  v.transform(lowered),
  v.object({
    objecttype: v.pipe(text, v.toLowerCase()),
    id: v.pipe(text, v.toLowerCase(), v.regex(idForm)),
  }),
)

/**
 * Reads an event of a vault, in Event Grid's schema or as a CloudEvent; undefined for one that asks for nothing: of a key, of a certificate, or of
 * another kind. `hosts`: those of the app's vaults: no event leads to another. bad_event for what is no such event, with its field.
 */
export function readEvent(event: unknown, hosts: readonly string[]): VaultEvent | undefined {
  const head = v.safeParse(envelope, event)
  if (!head.success) return failEvent(fieldOf(head.issues))
  const kind = says[head.output.type]
  if (head.output.type === '') return failEvent('eventType')
  if (kind === undefined) return undefined
  const body = v.safeParse(data, (event as { readonly data?: unknown }).data)
  if (!body.success) return failEvent(`data.${fieldOf(body.issues)}`)
  const { objecttype, id } = body.output
  if (objecttype !== 'secret') return undefined
  const { at } = head.output
  if (!(at >= 0)) return failEvent('eventTime')
  const [, host = '', name = '', version = ''] = idForm.exec(id) ?? []
  if (!hosts.includes(host)) return failEvent('data.id')
  return { says: kind, ref: `azure:${host}/${name}`, version: version as VersionId, at }
}

const fieldOf = (issues: readonly v.BaseIssue<unknown>[]): string => issues[0]?.path?.map(({ key }) => String(key)).join('.') ?? 'event'

function failEvent(field: string): never {
  throw new RotationError('bad_event', `The event is not one of a vault: its field ${field} is not readable.`, {
    field,
    next: 'Only the event subscriptions of the vaults may be the source of this function.',
  })
}
