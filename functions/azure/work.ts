import { app, type StorageQueueHandler } from '@azure/functions'
import { answerError } from '../../shared/app/function-log.js'
import { readWork } from '../../shared/app/work-message.js'
import { perform } from '../../shared/lifecycle/fleet/work.js'
import { running } from './ending.js'
import { Instance } from './instance.js'
import type { Given } from './opened.js'
import { connection, queueName } from './queue/settings.js'

/** One piece of work. What it throws has the host deliver the message again, and put it into the queue of poisoned ones after a few times. */
export function createHandler(given?: Given): StorageQueueHandler<unknown> {
  const instance = new Instance(given)
  return (message) =>
    running.until(async () => {
      let ends: string | undefined
      try {
        const work = await readOrBury(message, instance)
        if (work === undefined) return
        const { deps, queue } = instance.begin()
        const { code = '', outcome = 'none', ...performed } = await perform(deps, work, queue)
        ends = performed.ends
        deps.env.log('work_done', { ref: work.ref, action: work.action, ends, code, outcome })
      } catch (cause) {
        throw answerError(cause, instance.env)
      }
      if (ends === 'redeliver') throw new Error('redeliver')
    })
}

async function readOrBury(message: unknown, instance: Instance) {
  const body = typeof message === 'string' ? message : (JSON.stringify(message) ?? '')
  try {
    return readWork(body)
  } catch (cause) {
    await instance.bury(cause, { from: 'queue', bytes: Buffer.byteLength(body) })
    return undefined
  }
}

export const register = (): void => app.storageQueue('work', { queueName: queueName(process.env), connection, handler: createHandler() })
