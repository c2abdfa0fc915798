import type { LambdaFunctionURLEvent } from 'aws-lambda'
import { answerError, logLine } from '../../shared/app/function-log.js'
import { answerSet, KeptCompanion, maxAgeOf, type SetAnswer, unavailable } from '../../shared/app/jwks.js'
import { systemEnv } from '../../shared/core/env.js'
import type { Env } from '../../shared/core/ports/env.js'
import { clientOptionsOf } from '../../shared/stores/aws-secrets-manager/api.js'
import { AwsSecretsManager } from '../../shared/stores/aws-secrets-manager.js'

type Asked = Pick<LambdaFunctionURLEvent, 'rawPath' | 'headers'> & {
  readonly requestContext: { readonly http: Pick<LambdaFunctionURLEvent['requestContext']['http'], 'method'> }
}
/** Answers one request to the function URL: a failure is logged and answered with 503, never thrown. */
export type Handler = (event: Asked) => Promise<SetAnswer>

/** Serves a public set behind a function URL. It reads the companion of the signing keys and has no right to anything else. */
export function createHandler(environment: NodeJS.ProcessEnv, given: Partial<Env> = {}): Handler {
  const env: Env = { ...systemEnv({ log: logLine }), ...given }
  let store: AwsSecretsManager | undefined
  const companion = new KeptCompanion(async () => {
    store ??= AwsSecretsManager.open(clientOptionsOf(environment), env)
    const { value } = await store.readCurrent(environment.KEYTURN_JWKS ?? '')
    return value
  }, env)
  return async ({ rawPath: path, headers, requestContext }) => {
    try {
      const request = { method: requestContext.http.method, path, ifNoneMatch: headers['if-none-match'] }
      return answerSet(request, await companion.current(), env.now(), maxAgeOf(environment.KEYTURN_JWKS_MAX_AGE))
    } catch (cause) {
      answerError(cause, env) // into the log
      return unavailable
    }
  }
}

/** The handler that the function's configuration names: one application per warm instance. */
export const handler = createHandler(process.env)
