import { type HttpFunction, http } from '@google-cloud/functions-framework'
import { answerAsked, readAsked } from '../../shared/app/asked.js'
import { answerPost } from './http.js'
import { type Given, Instance } from './instance.js'

/** What a person or a pipeline asks of one secret, with a token of the platform. The answer holds no value. */
export function createHandler(given?: Given): HttpFunction {
  const instance = new Instance(given)
  return (request, response) =>
    answerPost(
      request,
      response,
      () => instance.env,
      async (body) => {
        const asked = readAsked(body)
        return { status: 200, body: await answerAsked(instance.begin().deps, asked) }
      },
    )
}

http('invoke', createHandler())
