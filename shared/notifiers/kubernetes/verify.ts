import type { Change, NotifierContext } from '../../core/ports/notifier.js'
import type { SecretText } from '../../core/secret-text.js'
import type { Cluster } from './cluster.js'
import { holds, isSameText, mappingOf, takesWhatChanged, whyNoOneRead } from './expected.js'
import type { ExternalSecret, Secret } from './objects.js'
import type { KubernetesSettings } from './settings.js'
import { secretNameOf } from './sync.js'
import { type Forms, formsOf } from './written.js'

/** Why the Secret is not known to hold what was published. `mayPass`: another read by the operator may change that; otherwise nobody can verify it. */
export interface NotHeld {
  readonly why: string
  readonly mayPass: boolean
}
const notYet = (why: string): NotHeld => ({ why, mayPass: true })
const never = (why: string): NotHeld => ({ why: `synced, but not to be verified: ${why}`, mayPass: false })

/** undefined where a comparison showed that the Secret holds what was published. Values are compared in memory only. */
export async function whyNotHeld(
  change: Change,
  externalSecret: ExternalSecret,
  wanted: KubernetesSettings,
  cluster: Cluster,
  { value, before }: NotifierContext,
  several: boolean,
): Promise<NotHeld | undefined> {
  const { marker } = wanted
  const remoteKey = wanted.remoteKey ?? change.ref.name
  const torn = marker && whyNoOneRead(externalSecret, remoteKey)
  if (torn !== undefined) return never(torn)
  const mapping = marker ? undefined : mappingOf(externalSecret, remoteKey)
  if (mapping && 'why' in mapping) return never(mapping.why)
  const name = secretNameOf(externalSecret)
  const secret = await cluster.secret(name)
  if (secret === undefined) return notYet(`the Secret ${name} is not there`)
  if (value === undefined) return never('the value is not known here')
  const text = await value()
  if (mapping && !holds(secret, mapping, text)) return notYet(`the Secret ${name} holds another value`)
  if (mapping) return several || (await changesWith(change, mapping, text, before)) ? undefined : never(untouched)
  const unfit = marker && (await whyNoMarker(change, marker.field, text, before))
  if (unfit !== undefined) return never(unfit)
  return marker && isMarkedWith(secret, marker, text) ? undefined : notYet(`the Secret ${name} holds another marker`)
}

const untouched = 'none of the fields that it takes changed with this publication'
/** Whether the fields that it takes changed. Where the previous version cannot be read any more, nobody can say; what the Secret holds is current all the same. */
async function changesWith(
  { previous }: Change,
  mapping: Parameters<typeof takesWhatChanged>[0],
  text: SecretText,
  before: NotifierContext['before'],
): Promise<boolean> {
  const older = previous === null ? undefined : await before?.()
  return older === undefined || takesWhatChanged(mapping, text, older)
}

/** Why a marker proves nothing: the old Secret has a field that did not change with this publication, too. */
async function whyNoMarker(
  { previous }: Change,
  field: string,
  text: SecretText,
  before: NotifierContext['before'],
): Promise<string | undefined> {
  const now = formsOf(text)?.get(field)?.[0] ?? ''
  if (now === '') return `the value has no field ${field}`
  if (previous === null) return undefined
  const older = await before?.()
  if (older === undefined) return `the previous version cannot be read, so nobody can say whether ${field} changed`
  return formsOf(older)?.get(field)?.[0] === now ? `the field ${field} is the same in the previous version` : undefined
}

function isMarkedWith(
  { data, metadata }: Secret,
  { key, annotation, field }: NonNullable<KubernetesSettings['marker']>,
  text: SecretText,
): boolean {
  const forms: Forms = formsOf(text)?.get(field) ?? []
  const there = key === undefined ? metadata.annotations[annotation ?? ''] : decoded(data[key])
  return there !== undefined && forms.some((one) => isSameText(there, one))
}

const decoded = (base64: string | undefined): string | undefined =>
  base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8')
