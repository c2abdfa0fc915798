import { FunctionApp } from '../../shared/app/function.js'
import type { Kept } from '../../shared/app/instance.js'
import type { Environment } from '../../shared/app/platform.js'
import type { DeadLetters } from '../../shared/core/ports/dead-letters.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Queue } from '../../shared/core/ports/queue.js'
import { gcpOptions } from '../../shared/stores/gcp-secret-manager/environment.js'
import { GcpSecretManager } from '../../shared/stores/gcp-secret-manager.js'
import { deadLettersFrom } from './dead-letters.js'
import { gcp } from './platform.js'
import { PrivateCheck, privateCheckFrom, type WhyPublic } from './private.js'
import { ending } from './signals.js'
import { tasksFrom } from './tasks.js'

/** What tests replace: the environment, parts of the clock and the like, the store's client, the queue, the dead letters, and who may call. */
export interface Given {
  readonly environment?: Environment
  readonly env?: Partial<Env>
  readonly openStore?: (env: Env) => GcpSecretManager
  readonly openQueue?: (env: Env) => Queue
  readonly letters?: DeadLetters
  readonly whyPublic?: WhyPublic
}

/** Opens it from the environment. bad_config lists every wrong setting of the app, or names the first other one. */
export function openInstance({ env = {}, openStore, openQueue, letters, whyPublic }: Given, environment: Environment): Kept {
  const open = openStore ?? ((one: Env) => new GcpSecretManager(gcpOptions(environment, one)))
  const app = new FunctionApp(environment, gcp, open, { cancelled: ending, ...env })
  let queue: Queue | undefined
  const openedQueue = (): Queue => {
    queue ??= openQueue?.(app.env) ?? tasksFrom(environment, app.env)
    return queue
  }
  const check = whyPublic ? new PrivateCheck(app.env, whyPublic) : privateCheckFrom(environment, app.env)
  return {
    app,
    queue: openedQueue,
    letters: letters ?? deadLettersFrom(environment, app.env),
    ...(check ? { assertMayRun: () => check.assert() } : {}),
  }
}
