import { FunctionApp } from '../../shared/app/function.js'
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

/** What a warm instance keeps. */
export interface Opened {
  readonly app: FunctionApp<GcpSecretManager>
  /** Opened where it is first used: who sends nothing needs no settings for it. */
  readonly queue: () => Queue
  readonly letters: DeadLetters | undefined
  readonly check: PrivateCheck | undefined
}

/** Opens it from the environment. bad_config lists every wrong setting of the app, or names the first other one. */
export function openInstance({ env = {}, openStore, openQueue, letters, whyPublic }: Given, environment: Environment): Opened {
  const open = openStore ?? ((one: Env) => new GcpSecretManager(gcpOptions(environment, one)))
  const app = new FunctionApp(environment, gcp, open, { cancelled: ending.signal, ...env })
  let queue: Queue | undefined
  const openedQueue = (): Queue => {
    queue ??= openQueue?.(app.env) ?? tasksFrom(environment, app.env)
    return queue
  }
  return {
    app,
    queue: openedQueue,
    letters: letters ?? deadLettersFrom(environment, app.env),
    check: whyPublic ? new PrivateCheck(app.env, whyPublic) : privateCheckFrom(environment, app.env),
  }
}
