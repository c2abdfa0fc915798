import { type HttpFunction, http } from '@google-cloud/functions-framework'
import { answerAsked, assertAction, readActions, readAsked } from '../../shared/app/asked.js'
import { postHandler } from './http.js'
import type { Given } from './opened.js'

/** What a person or a pipeline asks of one secret, with a token of the platform. The answer holds no value. */
export const createHandler = (given?: Given): HttpFunction =>
  postHandler(given, async (body, instance) => {
    const asked = readAsked(body)
    assertAction(asked, readActions(instance.environment.KEYTURN_ACTIONS))
    return { status: 200, body: await answerAsked(instance.begin().deps, asked) }
  })

http('invoke', createHandler())
