import { app, type HttpHandler } from '@azure/functions'
import { answerAsked, assertAction, readActions, readAsked } from '../../shared/app/asked.js'
import { answered } from '../../shared/app/http-answer.js'
import { assertCaller, authLevel } from './caller.js'
import { running } from './ending.js'
import { Instance } from './instance.js'
import type { Given } from './opened.js'

/** What a person or a pipeline asks of one secret, with a key of the function or as a principal of Entra. The answer holds no value. */
export function createHandler(given?: Given): HttpHandler {
  const instance = new Instance(given)
  return (request) =>
    running.until(async () => {
      const { status, body } = await answered(
        () => instance.env,
        async () => {
          assertCaller(request, instance.environment)
          const asked = readAsked(await request.text())
          assertAction(asked, readActions(instance.environment.KEYTURN_ACTIONS))
          return { status: 200, body: await answerAsked(instance.begin().deps, asked) }
        },
      )
      return body === undefined ? { status } : { status, jsonBody: body }
    })
}

export const register = (): void =>
  app.http('invoke', { methods: ['POST'], authLevel: authLevel(process.env), route: 'invoke', handler: createHandler() })
