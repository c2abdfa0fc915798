import type { Change, NotifierContext } from '../../core/ports/notifier.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Cluster } from './cluster.js'
import { fieldOf, holds, isSameText, mappingOf, takesWhatChanged, whyNoOneRead } from './expected.js'
import type { ExternalSecret, Secret } from './objects.js'
import type { KubernetesSettings } from './settings.js'
import { secretNameOf } from './sync.js'

/** Why the Secret is not known to hold what was published: undefined where it was compared and does. Values are compared in memory only. */
export async function whyNotHeld(
  change: Change,
  externalSecret: ExternalSecret,
  wanted: KubernetesSettings,
  cluster: Cluster,
  { value, before }: NotifierContext,
  several: boolean,
): Promise<string | undefined> {
  const { marker } = wanted
  const remoteKey = wanted.remoteKey ?? change.ref.name
  const torn = marker && whyNoOneRead(externalSecret, remoteKey)
  if (torn !== undefined) return `synced, but not to be verified: ${torn}`
  const mapping = marker ? undefined : mappingOf(externalSecret, remoteKey)
  if (mapping && 'why' in mapping) return `synced, but not to be verified: ${mapping.why}`
  const name = secretNameOf(externalSecret)
  const secret = await cluster.secret(name)
  if (secret === undefined) return `the Secret ${name} is not there`
  if (value === undefined) return 'synced, but not to be verified: the value is not known here'
  const text = await value()
  if (mapping && !holds(secret, mapping, text)) return `the Secret ${name} holds another value`
  if (mapping) return several || (await changesWith(change, mapping, text, before)) ? undefined : untouched
  const unfit = marker && (await whyNoMarker(change, marker.field, text, before))
  if (unfit !== undefined) return `synced, but not to be verified: ${unfit}`
  return marker && isMarkedWith(secret, marker, text) ? undefined : `the Secret ${name} holds another marker`
}

const untouched = 'synced, but not to be verified: none of the fields that it takes changed with this publication'
/** Where the version before cannot be read any more nobody can say, and what it holds is of now all the same. */
async function changesWith(
  { previous }: Change,
  mapping: Parameters<typeof takesWhatChanged>[0],
  text: SecretText,
  before: NotifierContext['before'],
): Promise<boolean> {
  const older = previous === null ? undefined : await before?.()
  return older === undefined || takesWhatChanged(mapping, text, older)
}

/** A field that did not change with this publication would be found in the Secret of before as well. */
async function whyNoMarker(
  { previous }: Change,
  field: string,
  text: SecretText,
  before: NotifierContext['before'],
): Promise<string | undefined> {
  const now = fieldOf(text, field)
  if (now === undefined || now === '') return `the value has no field ${field}`
  if (previous === null) return undefined
  const older = await before?.()
  if (older === undefined) return `the version before cannot be read, so that nobody can say whether ${field} changed`
  return fieldOf(older, field) === now ? `the field ${field} is the same in the version before` : undefined
}

function isMarkedWith(
  { data, metadata }: Secret,
  { key, annotation, field }: NonNullable<KubernetesSettings['marker']>,
  text: SecretText,
): boolean {
  const now = fieldOf(text, field) ?? ''
  const there =
    key === undefined
      ? metadata.annotations[annotation ?? '']
      : data[key] === undefined
        ? undefined
        : Buffer.from(data[key], 'base64').toString('utf8')
  return there !== undefined && isSameText(there, now)
}
