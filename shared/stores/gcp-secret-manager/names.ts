import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { SecretRef } from '../../core/ports/words.js'
import { splitRef, storeKind } from '../../core/refs.js'

export const kind = storeKind('gcp')

/** A secret, as somebody wrote it: `project` is an id or a number. */
export interface SecretName {
  readonly project: string
  /** For a regional secret, which is another one than the global secret with its name. */
  readonly location?: string
  readonly secret: string
}
/** A version as an event or an answer names it: by its number, or by an alias. */
export interface VersionName extends SecretName {
  readonly version?: string
}

const whole =
  /^(?:\/\/secretmanager\.googleapis\.com\/)?projects\/([^/]+)(?:\/locations\/([^/]+))?\/secrets\/([^/]+)(?:\/versions\/([^/]+))?$/
const projectForm = /^[a-z0-9](?:[a-z0-9.:-]*[a-z0-9])?$/
const locationForm = /^[a-z0-9-]+$/
const secretForm = /^[A-Za-z0-9_-]{1,255}$/
const versionForm = /^(?:[1-9]\d*|[A-Za-z][A-Za-z0-9_-]{0,62})$/

/** Locations, by their names with spaces between, each once. bad_config, with the variable, for one that is not a name. */
export function readLocations(text: string, field: string): readonly string[] {
  const names = [...new Set(text.split(/\s+/).filter((name) => name !== ''))]
  const wrong = names.find((name) => !locationForm.test(name))
  if (wrong === undefined) return names
  throw new RotationError('bad_config', `${field}: "${wrong}" is not the name of a location.`, {
    field,
    next: `Write names with spaces between: ${field}="europe-west3 us-east1". Leave out what has only global secrets.`,
  })
}

/**
 * Reads what a person, an event or the service writes: `gcp:db` (in the project of the process), `gcp:projects/P/secrets/db`, the same with
 * `/locations/L` or `/versions/V`, and all of them without `gcp:`. bad_event for any other text.
 */
export function readName(text: string, processProject?: string): VersionName {
  const { store, name } = text.startsWith('//') ? { store: kind, name: text } : splitRef(text, kind)
  if (store !== kind) throw nameError(text)
  const [, project = processProject, location, secret = name.includes('/') ? undefined : name, version] = whole.exec(name) ?? []
  if (secret === undefined) throw nameError(text)
  if (project === undefined) {
    throw new RotationError('bad_event', `"${text}" does not say in which project the secret is.`, {
      field: 'ref',
      next: `Write gcp:projects/PROJECT/secrets/${secret}, or set GOOGLE_CLOUD_PROJECT.`,
    })
  }
  const fits = (form: RegExp, part: string | undefined): boolean => part === undefined || form.test(part)
  if (!(projectForm.test(project) && fits(locationForm, location) && secretForm.test(secret) && fits(versionForm, version)))
    throw nameError(text)
  return { project, ...optional('location', location), secret, ...optional('version', version) }
}
const nameError = (text: string): RotationError =>
  new RotationError('bad_event', `"${text}" does not name a secret of Google Cloud.`, {
    field: 'ref',
    next: 'Write gcp:projects/PROJECT/secrets/NAME. A name has A-Z a-z 0-9 _ -, at most 255 of them.',
  })

/** What the API takes as the parent of a secret. */
export const parentOf = ({ project, location }: SecretName): string =>
  location === undefined ? `projects/${project}` : `projects/${project}/locations/${location}`
/** What the API takes as the name of a secret. */
export const resourceOf = (name: SecretName): string => `${parentOf(name)}/secrets/${name.secret}`

/** The host that serves regional secrets of a location; undefined for global secrets, which the client finds by itself. */
export const endpointOf = ({ location }: SecretName): string | undefined =>
  location === undefined ? undefined : `secretmanager.${location}.rep.googleapis.com`

/**
 * A ref for a secret that the service answered. Its answers and events name a project by the number, whatever they were asked by, so the answered name
 * is the key. People see the name as it was asked; other tools know the secret by its id alone.
 */
export function refOf(asked: SecretName, answered: string): SecretRef {
  const { secret, ...rest } = readName(answered)
  return { store: kind, key: resourceOf({ secret, ...rest }), shown: `gcp:${resourceOf(asked)}`, name: secret }
}
