import type { HttpFunction, Request, Response } from '@google-cloud/functions-framework'
import { answerError } from '../../shared/app/function-log.js'
import { codeOf, RotationError } from '../../shared/core/errors.js'
import type { Env } from '../../shared/core/ports/env.js'
import type { Code } from '../../shared/core/ports/errors.js'
import { Instance } from './instance.js'
import type { Given } from './opened.js'
import { hideBodies } from './server-log.js'
import { untilOver } from './signals.js'

/** What a handler answers: a status and, where there is something to say, a JSON object without a value. */
export interface Answer {
  readonly status: number
  readonly body?: Readonly<Record<string, unknown>>
}

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

/** Statuses of what ended an invocation. 503 is delivered again by whoever called. */
const statusOf = (code: Code): number => {
  if (code === 'denied') return 403
  if (code === 'bad_event') return 400
  if (code === 'not_found') return 404
  if (['locked', 'held', 'conflict', 'token_spent'].includes(code)) return 409
  return ['unavailable', 'throttled', 'ambiguous'].includes(code) ? 503 : 500
}

/**
 * Answers one POST of a caller whom the platform has let in. A request without the caller's token means that everybody may call this function: it refuses
 * to run. A failure is logged, and answered with its code and next step alone: a message may name hosts and accounts.
 */
async function answerPost(
  request: Request,
  response: Response,
  env: () => Env | undefined,
  act: (body: string) => Promise<Answer>,
): Promise<void> {
  await untilOver(async () => {
    try {
      if (request.method !== 'POST') return send(response, { status: 405 })
      assertPrivate(request)
      send(response, await act(request.rawBody?.toString('utf8') ?? ''))
    } catch (cause) {
      answerError(cause, env()) // into the log
      const code = codeOf(cause) ?? 'internal'
      const next = cause instanceof RotationError ? { next: cause.next, ...(cause.field ? { field: cause.field } : {}) } : {}
      send(response, { status: statusOf(code), body: { code, ...next } })
    }
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
