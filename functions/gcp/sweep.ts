import { type HttpFunction, http } from '@google-cloud/functions-framework'
import { lookAtFleet } from '../../shared/app/look-report.js'
import { postHandler } from './http.js'
import type { Given } from './opened.js'

/** The look of the fleet: Cloud Scheduler calls it with its token. It logs in nowhere; what is due goes to the queue. */
export const createHandler = (given?: Given): HttpFunction =>
  postHandler(given, async (_, instance) => {
    const { deps, queue } = instance.begin()
    return { status: 200, body: { ...(await lookAtFleet(deps, queue)) } }
  })

http('sweep', createHandler())
