import { GoogleAuth } from 'google-auth-library'
import { RotationError, systemCodeOf } from '../core/errors.js'
import type { Access, Credentials as RestCredentials } from '../core/rest/credentials.js'
import { SecretText } from '../core/secret-text.js'
import { unlessAborted } from '../core/unless-aborted.js'

/** On whose quota the calls go, where the credentials name a project for that: those of a person mostly have to. */
const quotaHeader = 'x-goog-user-project'
const cloudPlatform = ['https://www.googleapis.com/auth/cloud-platform']

/**
 * The platform's own credentials, found at the first call and kept for the next ones. Google's library renews the token in time. `resource`: what errors name,
 * mostly projects/P/….
 */
export class Credentials implements RestCredentials {
  readonly #resource: string
  readonly #scopes: readonly string[]
  #auth: GoogleAuth | undefined
  constructor(resource: string, { scopes = cloudPlatform }: { readonly scopes?: readonly string[] } = {}) {
    this.#resource = resource
    this.#scopes = scopes
  }

  /** The token alone; as `access`. */
  async token(signal: AbortSignal): Promise<SecretText> {
    return (await this.access(signal)).token
  }

  async access(signal: AbortSignal): Promise<Access> {
    const projectId = this.#resource.split('/')[1] ?? 'none' // the library would look for one, although a token needs none
    this.#auth ??= new GoogleAuth({ scopes: [...this.#scopes], projectId })
    try {
      // On Google's machines the library asks for a token without a time limit.
      const headers = await unlessAborted(signal, this.#auth.getRequestHeaders())
      const [, token] = /^\S+ (.+)$/.exec(headers.get('authorization') ?? '') ?? []
      if (token === undefined) throw new Error('There is no token in the answer.')
      const userProject = headers.get(quotaHeader)
      return { token: new SecretText(token), ...(userProject === null ? {} : { headers: { [quotaHeader]: userProject } }) }
    } catch (cause) {
      this.forget()
      throw isRefused(cause) ? this.#deniedError() : this.#unansweredError(signal.aborted ? 'no answer in time' : systemCodeOf(cause))
    }
  }

  forget(): void {
    this.#auth = undefined
  }

  // Neither has the library's error as its cause, which holds the whole request and answer.
  #deniedError(): RotationError {
    return new RotationError('denied', `There are no valid credentials for ${this.#resource}.`, {
      next: 'Give the function a service account; on another machine run gcloud auth application-default login.',
    })
  }
  #unansweredError(why = 'no answer'): RotationError {
    return new RotationError('unavailable', `There is no token for ${this.#resource} yet (${why}).`, {
      next: 'Check that the metadata server, or who else gives the token, can be reached; it is asked again.',
    })
  }
}

/** Whether there is nothing usable: a request was refused, or the library says so without a request. */
function isRefused(cause: unknown): boolean {
  if (typeof cause !== 'object' || cause === null) return false
  const status = 'status' in cause && typeof cause.status === 'number' ? cause.status : undefined
  if (status !== undefined) return status >= 400 && status < 500 && status !== 429
  return !('config' in cause) && !(cause instanceof DOMException) && ['ENOENT', 'EACCES', undefined].includes(systemCodeOf(cause))
}
