import * as v from 'valibot'
import { RotationError } from '../core/errors.js'
import { parsedJson } from '../core/json.js'
import { fleetActions, type Work } from '../core/ports/queue.js'
import type { VersionId } from '../core/ports/words.js'

const bytesMax = 4096
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(512))
const form = v.object({
  id: text,
  ref: text,
  action: v.picklist(fleetActions),
  at: v.pipe(v.number(), v.integer(), v.minValue(0)),
  whole: v.exactOptional(v.literal(true)),
  version: v.exactOptional(
    v.pipe(
      text,
      v.transform((one) => one as VersionId),
    ),
  ),
})

/** Reads a message of the queue. bad_event for one that is not ours, without a word of what is in it. */
export function readWork(body: string): Work {
  const result = body.length > bytesMax ? undefined : v.safeParse(form, parsedJson(body))
  if (result?.success) return result.output
  const field = result?.issues?.[0].path?.[0]?.key
  throw new RotationError('bad_event', 'The message is not a piece of work of a look.', {
    ...(typeof field === 'string' ? { field } : {}),
    next: 'Only the functions rotate, sweep and work send to this queue.',
  })
}
