import { type HttpFunction, http } from '@google-cloud/functions-framework'
import { logLine } from '../../shared/app/function-log.js'
import { setServer } from '../../shared/app/jwks.js'
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
  const serve = setServer(environment, env, () => openStore?.(env) ?? new GcpSecretManager(gcpOptions(environment, env)))
  return async (request, response) => {
    const { method, path } = request
    const { statusCode, headers, body } = await serve({ method, path, ifNoneMatch: request.get('if-none-match') })
    response.status(statusCode).set(headers).end(body)
  }
}

http('jwks', createHandler())
