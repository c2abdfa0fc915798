import { RotationError, systemCodeOf } from '../errors.js'
import type { Env } from '../ports/env.js'
import type { Credentials } from './credentials.js'
import { type Answer, type Asked, sendOnce } from './send.js'

export interface RestOptions {
  readonly env: Env
  /** As people call the service: Cloud Tasks. */
  readonly service: string
  /** What is asked about, as the platform names it. */
  readonly resource: string
  /** How long one attempt may take: 10 seconds. */
  readonly timeoutMs?: number
  /** The platform's own. Kept by who makes several clients. */
  readonly credentials: Credentials
  /** How often a call is repeated: three times. */
  readonly repetitions?: number
}

const pauseMsBase = 500

/** Calls of one service of a platform by REST. */
export class RestClient {
  readonly #options: RestOptions
  constructor(options: RestOptions) {
    this.#options = options
  }

  /**
   * Calls, and repeats what `retry` is the remedy of, with growing, random pauses. `refused` reads an answer, and makes the error of one that is
   * none. Throws that, unavailable where no answer came, and denied without credentials. `log`: what a repetition is logged with.
   */
  async call(asked: Asked, log: Readonly<Record<string, string>>, refused: (answer: Answer) => RotationError | undefined): Promise<Answer> {
    const { env, repetitions = 3 } = this.#options
    for (let attempt = 1; ; attempt++) {
      const made = await this.#attempt(asked, refused)
      if (!(made instanceof RotationError)) return made
      if (made.remedy !== 'retry' || attempt > repetitions || env.cancelled.aborted) throw made
      env.log('retry', { ...log, code: made.code, attempt })
      await env.sleep(Math.round(pauseMsBase * 2 ** (attempt - 1) * (0.5 + (env.random(1)[0] ?? 0) / 512)))
      if (env.cancelled.aborted) throw made
    }
  }

  async #attempt(asked: Asked, refused: (answer: Answer) => RotationError | undefined): Promise<Answer | RotationError> {
    const { credentials, timeoutMs = 10_000 } = this.#options
    const signal = AbortSignal.timeout(timeoutMs)
    try {
      const answer = await sendOnce(asked, await credentials.access(signal), signal)
      if (answer.status === 401) credentials.forget()
      return refused(answer) ?? answer
    } catch (cause) {
      return this.#unansweredError(asked.url, cause, signal.aborted ? timeoutMs : undefined)
    }
  }

  /** `waitedMs` where its time was over. */
  #unansweredError({ host }: URL, cause: unknown, waitedMs: number | undefined): RotationError {
    if (cause instanceof RotationError) return cause
    const { service, resource } = this.#options
    const why = waitedMs === undefined ? (systemCodeOf(cause) ?? 'no answer') : `no answer within ${waitedMs / 1000} s`
    return new RotationError('unavailable', `${service} could not be asked for ${resource} (${why}).`, {
      next: `Check that ${host} can be reached; it is sent again.`,
      cause,
    })
  }
}
