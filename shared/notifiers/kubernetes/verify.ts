import type { Change, NotifierContext } from '../../core/ports/notifier.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Cluster } from './cluster.js'
import { fieldOf, holds, isSameText, mappingOf } from './expected.js'
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
): Promise<string | undefined> {
  const { marker, remoteKey } = wanted
  const mapping = marker ? undefined : mappingOf(externalSecret, remoteKey ?? change.ref.shown.replace(/^[a-z0-9]+:/, ''))
  if (mapping && 'why' in mapping) return `synced, but not to be verified: ${mapping.why}`
  const name = secretNameOf(externalSecret)
  const secret = await cluster.secret(name)
  if (secret === undefined) return `the Secret ${name} is not there`
  if (value === undefined) return 'synced, but not to be verified: the value is not known here'
  const text = await value()
  if (mapping) return holds(secret, mapping, text) ? undefined : `the Secret ${name} holds another value`
  const unfit = marker && (await whyNoMarker(change, marker.field, text, before))
  if (unfit !== undefined) return `synced, but not to be verified: ${unfit}`
  return marker && isMarkedWith(secret, marker, text) ? undefined : `the Secret ${name} holds another marker`
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
