import { type HttpFunction, http } from '@google-cloud/functions-framework'
import { readWork } from '../../shared/app/work-message.js'
import { codeOf } from '../../shared/core/errors.js'
import type { Work } from '../../shared/core/ports/queue.js'
import { perform } from '../../shared/lifecycle/fleet/work.js'
import { postHandler } from './http.js'
import type { Given } from './instance.js'

/** One piece of work: Cloud Tasks calls it with its token, and again where the answer is 503. A message that is not readable ends, with its code in the log. */
export const createHandler = (given?: Given): HttpFunction =>
  postHandler(given, async (body, begin) => {
    const { deps, queue } = begin()
    const work = readOrNot(body, deps.env.log)
    if (work === undefined) return { status: 200, body: { code: 'bad_event' } }
    const { ends, code, outcome = 'none' } = await perform(deps, work, queue)
    deps.env.log('work_done', { ref: work.ref, action: work.action, ends, code: code ?? '', outcome })
    return { status: ends === 'redeliver' ? 503 : 200, body: { ends, code: code ?? null } }
  })

/** The same message would never be readable: to deliver it again would block nothing, and would never end. */
function readOrNot(body: string, log: (code: string, fields: Readonly<Record<string, string | number>>) => void): Work | undefined {
  try {
    return readWork(body)
  } catch (cause) {
    if (codeOf(cause) !== 'bad_event') throw cause
    log('dead_letter', { code: 'bad_event', bytes: Buffer.byteLength(body) })
    return undefined
  }
}

http('work', createHandler())
