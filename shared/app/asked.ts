import * as v from 'valibot'
import { RotationError } from '../core/errors.js'
import { parsedJson } from '../core/json.js'
import { optional } from '../core/optional.js'
import { consumerPhases, type VersionId } from '../core/ports/words.js'
import { announce } from '../lifecycle/consumers/announce.js'
import { answersOf } from '../lifecycle/consumers/answers.js'
import { preflightPass } from '../lifecycle/consumers/preflight.js'
import { noteSeen } from '../lifecycle/consumers/seen.js'
import { statusOf } from '../lifecycle/fleet/status.js'
import { retirePass } from '../lifecycle/retirement/retire.js'
import { rotate } from '../lifecycle/rotation/rotate.js'
import { shownLook, verifyCurrent } from '../lifecycle/secret/adopt.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { takeReceipt } from './receipt.js'

const bytesMax = 16_384
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(512))
const form = v.variant('action', [
  v.strictObject({ action: v.literal('rotate'), ref: text, emergency: v.optional(v.boolean(), false), reason: v.exactOptional(text) }),
  v.strictObject({ action: v.literal('verify'), ref: text }),
  v.strictObject({ action: v.literal('retire'), ref: text }),
  v.strictObject({ action: v.literal('status'), ref: text }),
  v.strictObject({
    action: v.literal('seen'),
    ref: text,
    consumer: text,
    phase: v.optional(v.picklist(consumerPhases), 'drained'),
    publication: v.exactOptional(text),
  }),
  v.strictObject({
    action: v.literal('receipt'),
    /** The receipt as it was signed, byte for byte. */
    body: v.pipe(v.string(), v.maxLength(4096)),
    /** webhook-id, webhook-timestamp and webhook-signature. */
    headers: v.record(v.pipe(v.string(), v.maxLength(64)), v.pipe(v.string(), v.maxLength(1024))),
  }),
])
/** What somebody asks a deployed function to do with one secret. */
export type Asked = v.InferOutput<typeof form>

/** The members of all requests. A name that is none of them is the caller's own text, which nobody repeats. */
const members = [...new Set(form.options.flatMap(({ entries }) => Object.keys(entries)))]

/** Reads which actions a deployment is for, by name and separated by spaces; undefined: all of them. bad_config. */
export function readActions(text: string | undefined): readonly string[] | undefined {
  if (!text) return undefined
  const named = text.split(/[\s,]+/).filter((name) => name !== '')
  const unknown = named.filter((name) => !form.options.some(({ entries }) => entries.action.literal === name))
  if (unknown.length === 0) return named
  throw new RotationError('bad_config', `KEYTURN_ACTIONS names what is no action (${unknown.length}).`, {
    field: 'KEYTURN_ACTIONS',
    next: 'Use rotate, verify, retire, status, seen and receipt.',
  })
}

/** Refuses what a deployment is not for: who may call it may do everything that it is for. denied. */
export function assertAction({ action }: Asked, actions: readonly string[] | undefined): void {
  if (actions === undefined || actions.includes(action)) return
  throw new RotationError('denied', `This function is not for the action ${action}.`, {
    field: 'action',
    next: `It is for ${actions.join(', ')} (KEYTURN_ACTIONS). Call the one that operators have.`,
  })
}

/** Reads a request of `{action, ref, …}`. bad_event with the field, where it is one of ours. */
export function readAsked(body: string): Asked {
  const result = body.length > bytesMax ? undefined : v.safeParse(form, parsedJson(body))
  if (result?.success) return result.output
  const key = result?.issues?.[0].path?.[0]?.key
  const field = members.find((member) => member === key)
  const why = field ?? (key === undefined ? undefined : `a member that is none of ${members.join(', ')}`)
  throw new RotationError('bad_event', `The request is not readable${why === undefined ? '' : ` (${why})`}.`, {
    ...optional('field', field),
    next: 'Send JSON, such as {"action":"rotate","ref":"NAME"}. The actions are rotate, verify, retire, status, seen and receipt.',
  })
}

/** Does what was asked. The answer holds names, ids, times and codes, and nothing of a value. It throws what the lifecycle throws. */
export async function answerAsked(deps: Deps, asked: Asked): Promise<Readonly<Record<string, unknown>>> {
  if (asked.action === 'receipt') return takenReceipt(deps, asked)
  const { ref } = asked
  if (asked.action === 'rotate') return rotateAsked(deps, asked)
  if (asked.action === 'verify') return { ref, says: shownLook(await verifyCurrent(deps, ref)) }
  if (asked.action === 'status') return statusAsked(deps, ref)
  if (asked.action === 'seen') {
    const { consumer, phase, publication } = asked
    const noted = await noteSeen(deps, ref, { consumer, phase, ...optional('version', publication as VersionId | undefined) })
    return { ref: noted.ref.shown, consumer, phase, version: noted.version }
  }
  const { told, outcome } = await announce(deps, ref)
  const { entries } = await retirePass(deps, ref)
  return { ref, announcement: outcome, consumers: answersOf(told), entries: entries.map(({ id, state, why }) => ({ id, state, why })) }
}

/** The status is the one that a listener for receipts would answer with. */
async function takenReceipt(deps: Deps, { headers, body }: Extract<Asked, { action: 'receipt' }>) {
  const [status, said] = await takeReceipt(async () => deps, { headers, body })
  if (status === 503) throw new RotationError('unavailable', 'The receipt could not be noted now.', { next: 'Send it again.' })
  return { noted: status === 202, status, said }
}

async function rotateAsked(deps: Deps, { ref, emergency, reason }: Extract<Asked, { action: 'rotate' }>) {
  if (emergency && reason === undefined) {
    throw new RotationError('bad_event', 'An emergency needs a reason, which is recorded.', { field: 'reason', next: 'Send a reason.' })
  }
  const kind = emergency ? 'emergency' : 'rotate'
  // As before a rotation that a look starts. An emergency does not wait for anybody.
  const checked = emergency ? [] : await preflightPass(deps, ref)
  const result = await rotate({ ...deps, checked }, { kind, ref, at: deps.env.now(), ...optional('reason', reason) })
  const { outcome: announcement } = await announce(deps, result.ref.shown)
  return {
    ref: result.ref.shown,
    outcome: result.outcome,
    version: result.version ?? null,
    previous: result.previous ?? null,
    announcement,
  }
}

async function statusAsked(deps: Deps, ref: string) {
  const { state, proof, next, announced, retiring, nextAt } = await statusOf(deps, ref)
  return {
    ref: state.ref.shown,
    version: state.current?.id ?? null,
    publishedAt: state.publishedAt,
    code: state.journal?.code ?? null,
    proof: proof ?? null,
    announced,
    nextAt: nextAt ?? null,
    next: next.do,
    retiring: retiring.map(({ id, state: phase, notBefore }) => ({ id, state: phase, notBefore })),
    consumers: Object.entries(state.journal?.seen ?? {}).map(([consumer, { phase, version, code }]) => ({
      consumer,
      phase,
      version,
      code: code ?? null,
    })),
  }
}
