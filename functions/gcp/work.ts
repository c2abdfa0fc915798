import { type HttpFunction, http } from '@google-cloud/functions-framework'
import { readWork } from '../../shared/app/work-message.js'
import { perform } from '../../shared/lifecycle/fleet/work.js'
import { postHandler } from './http.js'
import type { Instance } from './instance.js'
import type { Given } from './opened.js'

/** One piece of work: Cloud Tasks calls it with its token, and again where the answer is 503. A message that is not readable ends with the dead letters. */
export const createHandler = (given?: Given): HttpFunction =>
  postHandler(given, async (body, instance) => {
    const work = await readOrBury(body, instance)
    if (work === undefined) return { status: 200, body: { code: 'bad_event' } }
    const { deps, queue } = instance.begin()
    const { ends, code, outcome = 'none' } = await perform(deps, work, queue)
    deps.env.log('work_done', { ref: work.ref, action: work.action, ends, code: code ?? '', outcome })
    return { status: ends === 'redeliver' ? 503 : 200, body: { ends, code: code ?? null } }
  })

async function readOrBury(body: string, instance: Instance) {
  try {
    return readWork(body)
  } catch (cause) {
    await instance.bury(cause, { from: 'queue', bytes: Buffer.byteLength(body) })
    return undefined
  }
}

http('work', createHandler())
