import { FunctionApp } from '../../shared/app/function.js'
import type { Kept } from '../../shared/app/instance.js'
import type { Environment } from '../../shared/app/platform.js'
import type { DeadLetters } from '../../shared/core/ports/dead-letters.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Queue } from '../../shared/core/ports/queue.js'
import { azureOptions } from '../../shared/stores/azure-key-vault/environment.js'
import { AzureKeyVault } from '../../shared/stores/azure-key-vault.js'
import { running } from './ending.js'
import { azure } from './platform.js'
import { poisonFrom, queueFrom } from './queue.js'

/** What tests replace: the environment, parts of the clock and the like, the store's clients, the queue and the dead letters. */
export interface Given {
  readonly environment?: Environment
  readonly env?: Partial<Env>
  readonly openStore?: (env: Env) => AzureKeyVault
  readonly openQueue?: (env: Env) => Queue
  readonly letters?: DeadLetters
}

/** Opens what a warm instance keeps, from the environment. bad_config lists every wrong setting of the app, or names the first other one. */
export function openInstance({ env = {}, openStore, openQueue, letters }: Given, environment: Environment): Kept {
  const open = openStore ?? ((one: Env) => new AzureKeyVault(azureOptions(environment, one)))
  const app = new FunctionApp(environment, azure, open, { cancelled: running.signal, ...env })
  let queue: Queue | undefined
  const openedQueue = (): Queue => {
    queue ??= openQueue?.(app.env) ?? queueFrom(environment, app.env)
    return queue
  }
  return { app, queue: openedQueue, letters: letters ?? lazily(() => poisonFrom(environment, app.env)) }
}

/** Opened at the first letter: most invocations have none. */
const lazily = (open: () => DeadLetters): DeadLetters => {
  let opened: DeadLetters | undefined
  return {
    put: (letter) => {
      opened ??= open()
      return opened.put(letter)
    },
  }
}
