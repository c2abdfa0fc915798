import { app, type HttpHandler } from '@azure/functions'
import { logLine } from '../../shared/app/function-log.js'
import { setServer } from '../../shared/app/jwks.js'
import { systemEnv } from '../../shared/core/env.js'
import type { Env } from '../../shared/core/ports/env.js'
import { azureOptions } from '../../shared/stores/azure-key-vault/environment.js'
import { AzureKeyVault } from '../../shared/stores/azure-key-vault.js'
import type { Given } from './opened.js'

/** Serves a public set to everybody. Its identity may read the companion of the signing keys and nothing else. */
export function createHandler({ environment = process.env, env: given = {}, openStore }: Given = {}): HttpHandler {
  const env: Env = { ...systemEnv({ log: logLine }), ...given }
  const serve = setServer(environment, env, () => openStore?.(env) ?? new AzureKeyVault(azureOptions(environment, env)))
  return async ({ method, url, headers: asked }) => {
    const { statusCode, headers, body } = await serve({
      method,
      path: new URL(url).pathname,
      ifNoneMatch: asked.get('if-none-match') ?? undefined,
    })
    return { status: statusCode, headers, body }
  }
}

/** With an empty route prefix (host.json), so that verifiers find the set where they look for it. */
export const register = (): void =>
  app.http('jwks', { methods: ['GET', 'HEAD'], authLevel: 'anonymous', route: '{*path}', handler: createHandler() })
