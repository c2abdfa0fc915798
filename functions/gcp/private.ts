import type { Environment } from '../../shared/app/platform.js'
import { RotationError } from '../../shared/core/errors.js'
import type { Env } from '../../shared/core/ports/env.js'
import { RunService, runServiceForm } from '../../shared/google/run-service.js'

/** Says why everybody may call this function; undefined where nobody may to whom it was not granted. */
export type WhyPublic = () => Promise<string | undefined>

const minuteMs = 60_000
/** How long an answer holds: a wrong deployment is corrected, and a right one is changed, while an instance lives. */
const heldMs = { private: 60 * minuteMs, public: minuteMs, unknown: 5 * minuteMs }

/**
 * Refuses to run where everybody may call this function, and where nobody could ever say. It asks at the first invocation of an instance, and again when the
 * answer is old. What cannot be asked then is logged, and what was found before still holds.
 */
export class PrivateCheck {
  readonly #env: Env
  readonly #whyPublic: WhyPublic
  #until = 0
  /** undefined: nothing was ever found; null: it is private. */
  #why: string | null | undefined
  constructor(env: Env, whyPublic: WhyPublic) {
    this.#env = env
    this.#whyPublic = whyPublic
  }

  /** denied where everybody may call it, or where this may not be asked; unavailable where it cannot be asked yet. */
  async assert(): Promise<void> {
    if (this.#env.now() >= this.#until) await this.#ask()
    if (this.#why === null || this.#why === undefined) return
    throw new RotationError('denied', `Everybody may call this function: ${this.#why}.`, {
      next: 'Remove allUsers and allAuthenticatedUsers from its IAM policy, and grant roles/run.invoker to its caller alone.',
    })
  }

  async #ask(): Promise<void> {
    const env = this.#env
    try {
      this.#why = (await this.#whyPublic()) ?? null
      this.#until = env.now() + (this.#why === null ? heldMs.private : heldMs.public)
    } catch (cause) {
      if (!(cause instanceof RotationError) || this.#why === undefined) throw cause
      env.log('public_unchecked', { code: cause.code, why: cause.message, next: cause.next })
      this.#until = env.now() + heldMs.unknown // what was found before still holds
    }
  }
}

/** The check of the service that KEYTURN_SERVICE names; undefined where this does not run as a service. bad_config. */
export function privateCheckFrom({ KEYTURN_SERVICE: name, K_SERVICE: running }: Environment, env: Env): PrivateCheck | undefined {
  if (!name && !running) return undefined
  if (!name || !runServiceForm.test(name)) {
    throw new RotationError('bad_config', 'KEYTURN_SERVICE must be projects/PROJECT/locations/LOCATION/services/SERVICE.', {
      field: 'KEYTURN_SERVICE',
      next: "Correct the function's environment.",
    })
  }
  const service = new RunService({ env, name })
  return new PrivateCheck(env, () => service.whyPublic())
}
