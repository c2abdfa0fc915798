import { DefaultAzureCredential, type TokenCredential } from '@azure/identity'
import { RotationError } from '../core/errors.js'
import type { Access, Credentials as RestCredentials } from '../core/rest/credentials.js'
import { SecretText } from '../core/secret-text.js'
import { unlessAborted } from '../core/unless-aborted.js'
import { whyUnanswered } from './unanswered.js'

const choice = 'AZURE_TOKEN_CREDENTIALS'

/** One for a process: it keeps its tokens by scope, and renews them in time. */
let own: TokenCredential | undefined

/**
 * The platform's own credentials for one of Azure's services, found at the first call. `scope`: what the token is for, such as
 * https://management.azure.com/.default. `resource`: what errors name.
 */
export class Credentials implements RestCredentials {
  readonly #scope: string
  readonly #resource: string
  constructor(scope: string, resource: string) {
    this.#scope = scope
    this.#resource = resource
  }

  /** The token alone; as `access`. */
  async token(signal: AbortSignal): Promise<SecretText> {
    return (await this.access(signal)).token
  }

  /** bad_config where AZURE_TOKEN_CREDENTIALS names nothing that the library knows. */
  async access(signal: AbortSignal): Promise<Access> {
    own ??= open()
    try {
      // The credentials of a managed identity heed no signal, and repeat for 20 s what fails.
      const found = await unlessAborted(signal, own.getToken(this.#scope, { abortSignal: signal }))
      if (found === null) throw new Error('There is no token in the answer.')
      return { token: new SecretText(found.token) }
    } catch (cause) {
      const why = signal.aborted ? 'no answer in time' : whyUnanswered(cause)
      throw why === undefined ? this.#deniedError() : this.#unansweredError(why)
    }
  }

  /** The token of a managed identity stays: the library keeps it for all of the process, whoever asks, and renews it before its end. */
  forget(): void {
    own = undefined
  }

  // Neither has the library's error as its cause, which may hold the whole request and answer.
  #deniedError(): RotationError {
    return new RotationError('denied', `No credentials of Azure were found for ${this.#resource}, or they were refused.`, {
      next: 'Give the function app a managed identity, and name it in AZURE_CLIENT_ID if it is user-assigned; on another machine run az login.',
    })
  }
  #unansweredError(why: string): RotationError {
    return new RotationError('unavailable', `There is no token for ${this.#resource} yet (${why}).`, {
      next: 'Check that the identity endpoint, or who else gives the token, can be reached; it is asked again.',
    })
  }
}

function open(): TokenCredential {
  try {
    return new DefaultAzureCredential()
  } catch {
    // It refuses nothing but this variable, and quotes it.
    throw new RotationError('bad_config', `${choice} names no credentials that Azure's library knows.`, {
      field: choice,
      next: 'Set it to prod, dev or the name of one kind such as ManagedIdentityCredential, or unset it.',
    })
  }
}
