import type { Context } from 'aws-lambda'
import { adminReaderOf } from '../../shared/app/admin.js'
import { FunctionApp } from '../../shared/app/function.js'
import { answerError } from '../../shared/app/function-log.js'
import type { Env } from '../../shared/core/ports/env.js'
import { Proven, serve } from '../../shared/lifecycle/service/serve.js'
import { clientOptionsOf } from '../../shared/stores/aws-secrets-manager/api.js'
import { AwsSecretsManager } from '../../shared/stores/aws-secrets-manager.js'
import { readEvent } from './event.js'
import { aws } from './platform.js'

/** Carries out one step. The error that it throws is named after the error code, and has no cause. */
export type Handler = (event: unknown, context: Pick<Context, 'awsRequestId' | 'getRemainingTimeInMillis'>) => Promise<void>

/** The rotation function of AWS Secrets Manager: one call per step, the same token until the rotation is over. A step that is held throws. */
export function createHandler(environment: NodeJS.ProcessEnv, given: Partial<Env> = {}): Handler {
  let app: FunctionApp<AwsSecretsManager> | undefined
  const proven = new Proven()
  return async (event, context) => {
    try {
      app ??= new FunctionApp(environment, aws, (env) => AwsSecretsManager.open(clientOptionsOf(environment), env), given)
      const { request, rotationToken } = readEvent(event, app.env.now())
      const store = app.store.forInvocation(app.env, rotationToken)
      const deps = app.deps({
        store,
        readAdmin: adminReaderOf(store),
        holder: `aws-${context.awsRequestId}`,
        leaseMs: context.getRemainingTimeInMillis(),
        ...(rotationToken ? { sensitive: [rotationToken] } : {}),
      })
      const { ref, outcome, version } = await serve(deps, store, request, proven)
      app.env.log('step_done', { ref: ref.shown, step: request.step, outcome, version: version ?? '' })
    } catch (cause) {
      throw answerError(cause, app?.env)
    }
  }
}

/** The handler that the function's configuration names: one application per warm instance. */
export const handler = createHandler(process.env)
