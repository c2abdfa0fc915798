import { type HttpFunction, http } from '@google-cloud/functions-framework'
import { lookAtFleet } from '../../shared/app/look-report.js'
import { answerPost } from './http.js'
import { type Given, Instance } from './instance.js'

/** The look of the fleet: Cloud Scheduler calls it with its token. It logs in nowhere; what is due goes to the queue. */
export function createHandler(given?: Given): HttpFunction {
  const instance = new Instance(given)
  return (request, response) =>
    answerPost(
      request,
      response,
      () => instance.env,
      async () => {
        const { deps, queue } = instance.begin()
        return { status: 200, body: { ...(await lookAtFleet(deps, queue)) } }
      },
    )
}

http('sweep', createHandler())
