import type { HttpFunction, Request, Response } from '@google-cloud/functions-framework'
import { type Answer, answered } from '../../shared/app/http-answer.js'
import { RotationError } from '../../shared/core/errors.js'
import type { Env } from '../../shared/core/ports/env.js'
import { Instance } from './instance.js'
import type { Given } from './opened.js'
import { hideBodies } from './server-log.js'
import { untilOver } from './signals.js'

/** A handler with an instance of its own. `act` begins the invocation when it has read what it needs of the body: what nobody can read reaches no store. */
export function postHandler(given: Given | undefined, act: (body: string, instance: Instance) => Promise<Answer>): HttpFunction {
  hideBodies()
  const instance = new Instance(given)
  return (request, response) =>
    answerPost(
      request,
      response,
      () => instance.env,
      async (body) => {
        await instance.assertMayRun()
        return act(body, instance)
      },
    )
}

/**
 * Answers one POST of a caller whom the platform has let in. A request without the caller's token means that everybody may call this function: it refuses
 * to run.
 */
async function answerPost(
  request: Request,
  response: Response,
  env: () => Env | undefined,
  act: (body: string) => Promise<Answer>,
): Promise<void> {
  await untilOver(async () => {
    const answer = await answered(env, async () => {
      if (request.method !== 'POST') return { status: 405 }
      assertPrivate(request)
      return act(request.rawBody?.toString('utf8') ?? '')
    })
    send(response, answer)
  })
}

const isPublic = (request: Request): boolean => !/^Bearer ./i.test(request.get('authorization') ?? '')

function assertPrivate(request: Request): void {
  if (!isPublic(request)) return
  throw new RotationError('denied', 'This function was called without a token: everybody may call it.', {
    next: 'Deploy it with --no-allow-unauthenticated, and grant roles/run.invoker to its caller alone.',
  })
}

function send(response: Response, { status, body }: Answer): void {
  response.status(status)
  if (body === undefined) response.end()
  else response.json(body)
}
