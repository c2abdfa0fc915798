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
  const { project = processProject, ...rest } = partsOf(text)
  if (project !== undefined) return { project, ...rest }
  throw new RotationError('bad_event', `"${oneLine(text)}" does not say in which project the secret is.`, {
    field: 'ref',
    next: `Write gcp:projects/PROJECT/secrets/${rest.secret}, or set GOOGLE_CLOUD_PROJECT.`,
  })
}

/**
 * Reads a secret as somebody named it. What an event carries may name a version, which is left out; a ref with `gcp:` may not, because nothing would keep
 * to that version. bad_event.
 */
export function readSecret(text: string, processProject?: string): SecretName {
  const { version, ...name } = readName(text, processProject)
  if (version !== undefined && text.startsWith(`${kind}:`)) throw versionError(text)
  return name
}

/** Whether a name says its project. bad_event for one that is not allowed, so that nobody is asked for the project of that. */
export const saysProject = (text: string): boolean => partsOf(text).project !== undefined

/** Checks the project of the process. bad_config, with the variable, for what is neither an id nor a number. */
export function readProject(text: string, field: string): string {
  if (projectForm.test(text)) return text
  throw new RotationError('bad_config', `${field}: "${oneLine(text)}" is not the id or the number of a project.`, {
    field,
    next: `Set ${field} to the id of the project, such as shop-prod. Its display name is another one: gcloud projects list shows both.`,
  })
}

type Parts = Omit<VersionName, 'project'> & Partial<Pick<VersionName, 'project'>>
/** The parts of a name, each checked. */
function partsOf(text: string): Parts {
  const { store, name } = text.startsWith('//') ? { store: kind, name: text } : splitRef(text, kind)
  if (store !== kind) throw nameError(text)
  const [, project, location, secret = name.includes('/') ? undefined : name, version] = whole.exec(name) ?? []
  const fits = (form: RegExp, part: string | undefined): boolean => part === undefined || form.test(part)
  if (!fits(projectForm, project)) throw partError(text, `"${project}" is not the id or the number of a project`)
  if (!fits(locationForm, location)) throw partError(text, `"${location}" is not the name of a location, such as europe-west3`)
  if (secret === undefined || !(secretForm.test(secret) && fits(versionForm, version))) throw nameError(text)
  return { ...optional('project', project), ...optional('location', location), secret, ...optional('version', version) }
}

/** A text that somebody gave, on one line. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
const nameError = (text: string): RotationError =>
  new RotationError('bad_event', `"${oneLine(text)}" does not name a secret of Google Cloud.`, {
    field: 'ref',
    next: 'Write gcp:projects/PROJECT/secrets/NAME. A name has A-Z a-z 0-9 _ -, at most 255 of them.',
  })
const partError = (text: string, why: string): RotationError =>
  new RotationError('bad_event', `"${oneLine(text)}" does not name a secret of Google Cloud: ${oneLine(why)}.`, {
    field: 'ref',
    next: 'Write gcp:projects/PROJECT/secrets/NAME, or gcp:projects/PROJECT/locations/LOCATION/secrets/NAME for a regional secret.',
  })
const versionError = (text: string): RotationError =>
  new RotationError('bad_event', `"${text}" names a version, and Keyturn works on the whole secret.`, {
    field: 'ref',
    next: `Write ${text.replace(/\/versions\/.*$/, '')}.`,
  })

/** How the name of a staging place ends: it is a secret of its own, beside the one whose pending value it keeps. */
export const placeSuffix = '--pending'
const idCharactersMax = 255

/** Checks that the staging place of a secret has a name. bad_event. */
export function assertPlaceFits({ secret }: SecretName): void {
  const characters = secret.length + placeSuffix.length
  if (characters <= idCharactersMax) return
  throw new RotationError('bad_event', `The name ${secret} is too long: its staging place would have ${characters} characters.`, {
    field: 'ref',
    next: `Choose a name of at most ${idCharactersMax - placeSuffix.length} characters.`,
  })
}
/** The error for a command that was given a staging place in the place of its secret. */
export const isPlaceError = (shown: string): RotationError =>
  new RotationError('bad_event', `${shown} is the staging place of another secret.`, { field: 'ref', next: 'Name the secret itself.' })

/** What the API takes as the parent of a secret. */
export const parentOf = ({ project, location }: SecretName): string =>
  location === undefined ? `projects/${project}` : `projects/${project}/locations/${location}`
/** What the API takes as the name of a secret. */
export const resourceOf = (name: SecretName): string => `${parentOf(name)}/secrets/${name.secret}`

/** The words of a command of gcloud that say where a secret is. */
export const gcloudWhere = ({ project, location }: Omit<SecretName, 'secret'>): readonly string[] => [
  `--project=${project}`,
  ...(location === undefined ? [] : [`--location=${location}`]),
]
/** A command of gcloud on a secret, as a person can copy it. */
export const gcloudSecrets = (verb: string, name: SecretName, ...words: readonly string[]): string =>
  ['gcloud secrets', verb, name.secret, ...gcloudWhere(name), ...words].join(' ')

/** The host that serves regional secrets of a location; undefined for global secrets, which the client finds by itself. */
export const endpointOf = ({ location }: SecretName): string | undefined =>
  location === undefined ? undefined : `secretmanager.${location}.rep.googleapis.com`

/** The host that serves a secret, for people. */
export const hostOf = (name: SecretName): string => endpointOf(name) ?? 'secretmanager.googleapis.com'

/**
 * A ref for a secret that the service answered. Its answers and events name a project by the number, whatever they were asked by, so the answered name
 * is the key. People see the name as it was asked; other tools know the secret by its id alone.
 */
export function refOf(asked: SecretName, answered: string): SecretRef {
  const { secret, ...rest } = readName(answered)
  return { store: kind, key: resourceOf({ secret, ...rest }), shown: `gcp:${resourceOf(asked)}`, name: secret }
}
