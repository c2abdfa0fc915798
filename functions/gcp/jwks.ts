import { type HttpFunction, http } from '@google-cloud/functions-framework'
import { answerError, logLine } from '../../shared/app/function-log.js'
import { answerSet, KeptCompanion, maxAgeOf, type SetAnswer, unavailable } from '../../shared/app/jwks.js'
import { systemEnv } from '../../shared/core/env.js'
import type { Env } from '../../shared/core/ports/env.js'
import { gcpOptions } from '../../shared/stores/gcp-secret-manager/environment.js'
import { GcpSecretManager } from '../../shared/stores/gcp-secret-manager.js'
import type { Given } from './opened.js'
import { hideBodies } from './server-log.js'

/** Serves a public set to everybody. Its account may read the companion of the signing keys and nothing else. */
export function createHandler({ environment = process.env, env: given = {}, openStore }: Given = {}): HttpFunction {
  hideBodies()
  const env: Env = { ...systemEnv({ log: logLine }), ...given }
  let store: GcpSecretManager | undefined
  const companion = new KeptCompanion(async () => {
    store ??= openStore?.(env) ?? new GcpSecretManager(gcpOptions(environment, env))
    return (await store.readCurrent(environment.KEYTURN_JWKS ?? '')).value
  }, env)
  const answer = async (method: string, path: string, ifNoneMatch: string | undefined): Promise<SetAnswer> => {
    try {
      return answerSet({ method, path, ifNoneMatch }, await companion.current(), env.now(), maxAgeOf(environment.KEYTURN_JWKS_MAX_AGE))
    } catch (cause) {
      answerError(cause, env) // into the log
      return unavailable
    }
  }
  return async (request, response) => {
    const { statusCode, headers, body } = await answer(request.method, request.path, request.get('if-none-match'))
    response.status(statusCode).set(headers).end(body)
  }
}

http('jwks', createHandler())
