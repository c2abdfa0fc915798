import { readFile, stat } from 'node:fs/promises'
import { messageOf, RotationError, systemCodeOf } from '../../core/errors.js'
import { optional } from '../../core/optional.js'

/** The variable in which Google's client looks for a file of credentials first. */
const variable = 'GOOGLE_APPLICATION_CREDENTIALS'
const login = 'gcloud auth application-default login'
const network = 'Check the network, DNS and the proxy, then run the same command again.'
/** What a file of credentials gets from Google's client that found it and cannot use it, beside an error of JSON or of the system. */
const badFile = /^The file at |JSON object|source_credentials|credential source|of null/

/**
 * The error for a file of credentials from which the client could not be made; undefined where that is not why. `path`: what the variable names; absent:
 * the client looked for the file of gcloud.
 */
export async function credentialsFileError(cause: unknown, path = process.env[variable] || undefined): Promise<RotationError | undefined> {
  if (!(cause instanceof SyntaxError || badFile.test(messageOf(cause)) || isSystemError(cause))) return undefined
  const why = path === undefined ? undefined : await whyUnusable(path, cause)
  const said = path === undefined ? `The file that ${login} wrote cannot be used.` : `${variable} names ${path}, which ${why}.`
  return new RotationError('bad_config', said, {
    cause,
    ...optional('field', path === undefined ? undefined : variable),
    next:
      path === undefined
        ? `Run ${login} again, or set ${variable} to a readable key file or workload identity file.`
        : `Set ${variable} to a readable key file or workload identity file, or unset it and run ${login}.`,
  })
}
/** Of reading a file: the others are about a network. */
const isSystemError = (cause: unknown): boolean =>
  ['EACCES', 'EPERM', 'EISDIR', 'ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCodeOf(cause) ?? '')

async function whyUnusable(path: string, cause: unknown): Promise<string> {
  try {
    if (!(await stat(path)).isFile()) return 'is not a file'
    JSON.parse(await readFile(path, 'utf8'))
  } catch (seen) {
    if (seen instanceof SyntaxError) return 'is not JSON'
    const code = systemCodeOf(seen)
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : `cannot be read (${code ?? 'unknown'})`
  }
  const missing = /does not contain an? (\w+) field/.exec(messageOf(cause))?.[1]
  return `is not a credentials file${missing === undefined ? '' : ` (it has no ${missing})`}`
}

/**
 * The error for credentials that gave no token, so that nothing was sent; undefined for every other error. The text of the client is not said: it quotes
 * what an endpoint answered.
 */
export function tokenError(cause: unknown, shown: string): RotationError | undefined {
  const [, text] = /Getting metadata from plugin failed with error: (.*)$/s.exec(messageOf(cause)) ?? []
  if (text === undefined) return undefined
  if (/The file at .* does not exist/.test(text)) return fileOfTokenError(cause)
  const status = httpStatusOf(cause)
  const refusal = /\b(invalid_[a-z]+|unauthorized_[a-z]+|access_denied)\b/.exec(text)?.[1]
  const isRefused = refusal !== undefined || (status !== undefined && status < 500 && ![408, 429].includes(status))
  if (isRefused) return refusedError(cause, shown, refusal ?? `status ${status}`)
  if (/routines|PEM|asn1|private ?key/i.test(text)) return keyError(cause)
  const host = /request to https?:\/\/([^/\s]+)/.exec(text)?.[1] ?? "the endpoint of Google's tokens"
  const how = status === undefined ? 'could not be reached' : `answered with status ${status}`
  return new RotationError('unavailable', `${shown}: ${host}, which gives a token for these credentials, ${how}.`, { cause, next: network })
}
function httpStatusOf(cause: unknown): number | undefined {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? Number(cause.code) : Number.NaN
  return code >= 100 ? code : undefined
}

/** The error for credentials that Google does not take. `why`: a word of the protocol, never a text. */
export const refusedError = (cause: unknown, shown: string, why: string): RotationError =>
  new RotationError('denied', `${shown}: Google does not accept these credentials (${why}).`, {
    cause,
    next: `Run ${login} again, or set ${variable} to a key file or workload identity file that is still valid. Check the clock of this machine, too.`,
  })

const keyError = (cause: unknown): RotationError =>
  new RotationError('bad_config', 'The private key in the file of credentials is not readable.', {
    cause,
    field: variable,
    next: `Set ${variable} to a whole key file, or unset it and run ${login}.`,
  })
const fileOfTokenError = (cause: unknown): RotationError =>
  new RotationError('bad_config', 'The workload identity file names a token file that does not exist.', {
    cause,
    field: variable,
    next: 'Check the path in credential_source of that file, and that the token is mounted.',
  })

/** The error where nothing on this machine has credentials. */
export const noCredentialsError = (cause: unknown, shown: string): RotationError =>
  new RotationError('denied', `No Google Cloud credentials were found: ${shown} cannot be read.`, {
    cause,
    next: `Run ${login}, or set ${variable}.`,
  })

/** The error for a service that gave no answer. `host`: the one that was called. */
export const unreachedError = (cause: unknown, shown: string, host: string, why: string): RotationError =>
  new RotationError('unavailable', `${shown}: ${host} could not be reached (${why}).`, { cause, next: network })
