import { DefaultAzureCredential, type TokenCredential } from '@azure/identity'
import { RotationError, systemCodeOf } from '../core/errors.js'
import type { Access, Credentials as RestCredentials } from '../core/rest/credentials.js'
import { SecretText } from '../core/secret-text.js'

/** One for a process: it keeps its tokens by scope, and renews them in time. */
let own: TokenCredential | undefined

/**
 * The platform's own credentials for one of Azure's services, found at the first call. `scope`: what the token is for, such as
 * https://management.azure.com/.default. `resource`: what errors name.
 */
export class Credentials implements RestCredentials {
  readonly #scope: string
  readonly #resource: string
  #isForgotten = false
  constructor(scope: string, resource: string) {
    this.#scope = scope
    this.#resource = resource
  }

  /** The token alone; as `access`. */
  async token(signal: AbortSignal): Promise<SecretText> {
    return (await this.access(signal)).token
  }

  async access(signal: AbortSignal): Promise<Access> {
    if (this.#isForgotten) own = undefined
    this.#isForgotten = false
    own ??= new DefaultAzureCredential()
    try {
      const found = await own.getToken(this.#scope, { abortSignal: signal })
      if (found === null) throw new Error('There is no token in the answer.')
      return { token: new SecretText(found.token) }
    } catch (cause) {
      const isLate = signal.aborted || systemCodeOf(cause) !== undefined
      throw isLate ? this.#unansweredError(signal.aborted ? 'no answer in time' : systemCodeOf(cause)) : this.#deniedError()
    }
  }

  forget(): void {
    this.#isForgotten = true
  }

  // Neither has the library's error as its cause, which may hold the whole request and answer.
  #deniedError(): RotationError {
    return new RotationError('denied', `No credentials of Azure were found for ${this.#resource}, or they were refused.`, {
      next: 'Give the function app a managed identity; on another machine run az login.',
    })
  }
  #unansweredError(why = 'no answer'): RotationError {
    return new RotationError('unavailable', `There is no token for ${this.#resource} yet (${why}).`, {
      next: 'Check that the identity endpoint, or who else gives the token, can be reached; it is asked again.',
    })
  }
}
