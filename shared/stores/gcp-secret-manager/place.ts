import * as v from 'valibot'
import { RotationError } from '../../core/errors.js'
import { journal as form } from '../../core/journal-form.js'
import { parsedJson } from '../../core/json.js'
import type { Journal, Seen } from '../../core/ports/store.js'
import type { SecretRef } from '../../core/ports/words.js'
import { roomFor } from './annotations.js'
import { type Api, isAbsent } from './api.js'
import { gcloudSecrets, placeSuffix, resourceOf, type SecretName } from './names.js'
import type { Secret } from './wire.js'

/** The staging place of a secret is a secret of its own, so that nobody who reads the one may read the other. */
export const placeName = (name: SecretName): SecretName => ({ ...name, secret: `${name.secret}${placeSuffix}` })
/** What a staging place is known by. */
export const placeLabel = { 'keyturn-role': 'staging' } as const
export const isPlace = ({ labels }: Pick<Secret, 'labels'>): boolean => labels['keyturn-role'] === placeLabel['keyturn-role']

/** The annotation that has the journal. */
export const stateKey = 'keyturn-state'
const journalBytesMax = 10_240
/**
 * What each write leaves free: a note the room of a claim, and a claim that of the steps after it, so that no rotation ends for want of room once it has
 * changed the target.
 */
const freeBytes = { note: 2048, claim: 1024, step: 0 } as const
export type JournalWrite = keyof typeof freeBytes

/** A staging place as it was read. A write is conditional on its etag. */
export interface Place {
  readonly name: SecretName
  readonly secret: Secret
  readonly journal: Journal | null
}

/** The staging place of a secret; undefined where it is not there. damaged for a journal that was cut off or edited. */
export async function readPlace(api: Api, consumer: SecretName): Promise<Place | undefined> {
  const name = placeName(consumer)
  try {
    return placeOf(name, await api.get(name))
  } catch (cause) {
    if (isAbsent(cause)) return undefined
    throw cause
  }
}

/** The staging place as this process read or wrote it last; undefined where it has not. */
export function lastPlace(api: Api, consumer: SecretName): Place | undefined {
  const name = placeName(consumer)
  const secret = api.last(name)
  return secret && placeOf(name, secret)
}

/** A staging place that was read. damaged for a journal that was cut off or edited. */
export const placeOf = (name: SecretName, secret: Secret): Place => ({
  name,
  secret,
  journal: readJournal(journalTextOf(secret), name),
})

/** The journal of a staging place as it is written there; undefined where there is none. */
export const journalTextOf = ({ annotations }: Pick<Secret, 'annotations'>): string | undefined => annotations[stateKey]

/** Reads that. damaged where it was cut off or edited. */
export function readJournal(text: string | undefined, name: SecretName): Journal | null {
  if (text === undefined) return null
  const result = v.safeParse(form, parsedJson(text))
  if (result.success) return result.output
  throw new RotationError('damaged', `The annotation ${stateKey} of ${resourceOf(name)} was cut off or edited.`, {
    next: `Restore it, or remove it: ${gcloudSecrets('update', name, `--remove-annotations=${stateKey}`)}. Keyturn then reads everything again.`,
  })
}

/** Writes the journal, only while the place is as it was read. The place as it is then; undefined where it is gone. too_large for a journal that has no room. */
export async function writeJournal(
  api: Api,
  { name, secret }: Place,
  journal: Journal,
  write: JournalWrite = 'step',
): Promise<Place | undefined> {
  try {
    const annotations = { ...secret.annotations, [stateKey]: journalText(journal, roomOf(secret, write)) }
    return { name, secret: await api.update(name, secret.etag, { annotations }), journal }
  } catch (cause) {
    if (isAbsent(cause)) return undefined
    throw cause
  }
}

/** How many bytes a journal may have: others write annotations of the place, too. */
function roomOf({ annotations }: Secret, write: JournalWrite): Room {
  const room = roomFor(stateKey, annotations)
  return { bytes: Math.max(0, Math.min(journalBytesMax, room) - freeBytes[write]), beside: roomFor(stateKey, {}) - room }
}
interface Room {
  readonly bytes: number
  /** What the other annotations take. */
  readonly beside: number
}

/** The text of a journal. What people alone read goes first where it is long. */
function journalText(journal: Journal, room: Room): string {
  const whole = JSON.stringify(journal)
  if (Buffer.byteLength(whole) <= room.bytes) return whole
  const bare = ({ evidence: _, ...seen }: Seen): Seen => seen
  const seen = Object.fromEntries(Object.entries(journal.seen ?? {}).map(([consumer, one]) => [consumer, bare(one)]))
  const short = JSON.stringify({ ...journal, ...(journal.seen === undefined ? {} : { seen }) })
  const bytes = Buffer.byteLength(short)
  if (bytes <= room.bytes) return short
  throw new RotationError(
    'too_large',
    `The journal has ${bytes} bytes; there is room for ${room.bytes}, beside ${room.beside} of other annotations of the staging place.`,
    { next: 'Name fewer consumers for one secret, or remove annotations of others from its staging place.' },
  )
}

/** Makes the error of a secret that has no policy and no staging place. */
export const noPlaceError = ({ shown }: SecretRef): RotationError =>
  new RotationError('bad_config', `${shown} has no staging place: nobody has adopted it.`, {
    next: `Run keyturn adopt ${shown} first, with the rights of a person.`,
  })
