import type { LambdaFunctionURLEvent } from 'aws-lambda'
import { answerOf, logLine } from '../../shared/app/function-log.js'
import { answerSet, maxAgeOf, type SetAnswer, unavailable } from '../../shared/app/jwks.js'
import { systemEnv } from '../../shared/core/env.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { SecretText } from '../../shared/core/secret-text.js'
import { clientOptionsOf } from '../../shared/stores/aws-secrets-manager/api.js'
import { AwsSecretsManager } from '../../shared/stores/aws-secrets-manager.js'

type Asked = Pick<LambdaFunctionURLEvent, 'rawPath' | 'headers'> & {
  readonly requestContext: { readonly http: Pick<LambdaFunctionURLEvent['requestContext']['http'], 'method'> }
}
export type Handler = (event: Asked) => Promise<SetAnswer>
/** How long a warm instance takes the companion for what it is: calls of the service cost. While it does not answer, five minutes. */
const keptMs = 30_000
const keptMsMax = 300_000

/** Serves a public set behind a function URL. It reads the companion of the signing keys and has no right to anything else. */
export function createHandler(environment: NodeJS.ProcessEnv, given: Partial<Env> = {}): Handler {
  const env: Env = { ...systemEnv({ log: logLine }), ...given }
  let store: AwsSecretsManager | undefined
  let kept: { readonly text: SecretText; readonly at: number } | undefined
  return async ({ rawPath: path, headers, requestContext }) => {
    try {
      store ??= AwsSecretsManager.open(clientOptionsOf(environment), env)
      const now = env.now()
      if (kept === undefined || now - kept.at > keptMs) {
        const fresh = await store.readCurrent(environment.KEYTURN_JWKS ?? '').catch((cause: unknown) => {
          if (kept === undefined || now - kept.at > keptMsMax) throw cause
          answerOf(cause, env)
        })
        if (fresh) kept = { text: fresh.value, at: now }
      }
      if (kept === undefined) return unavailable
      const request = { method: requestContext.http.method, path, ifNoneMatch: headers['if-none-match'] }
      return answerSet(request, kept.text, now, maxAgeOf(environment.KEYTURN_JWKS_MAX_AGE))
    } catch (cause) {
      answerOf(cause, env) // into the log
      return unavailable
    }
  }
}

/** What the function's configuration names: one application a warm instance. */
export const handler = createHandler(process.env)
