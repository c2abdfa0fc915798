import type { LambdaFunctionURLEvent } from 'aws-lambda'
import { logLine } from '../../shared/app/function-log.js'
import { type SetAnswer, setServer } from '../../shared/app/jwks.js'
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
  const serve = setServer(environment, env, () => AwsSecretsManager.open(clientOptionsOf(environment), env))
  return ({ rawPath: path, headers, requestContext }) =>
    serve({ method: requestContext.http.method, path, ifNoneMatch: headers['if-none-match'] })
}

/** The handler that the function's configuration names: one application per warm instance. */
export const handler = createHandler(process.env)
