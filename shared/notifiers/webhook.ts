import { eventOf } from '../core/cloud-event.js'
import { settingsOf } from '../core/consumer-settings.js'
import { RotationError } from '../core/errors.js'
import type { Change, CheckCallback, ConsumerState, Notifier, NotifierContext } from '../core/ports/notifier.js'
import { readReceipt } from '../core/receipt.js'
import { retryAfterMs } from '../core/retry-after.js'
import { SecretText } from '../core/secret-text.js'
import { checkSigned, signMessage, whyNotSigned } from '../core/signature.js'
import { type Answer, post } from './webhook/post.js'
import { probe } from './webhook/probe.js'
import { settings, type WebhookSettings } from './webhook/settings.js'

const againMsMin = 60_000
const againMsMax = 3_600_000

/** CloudEvents 1.0 in structured mode with Standard Webhooks signatures; docs/webhooks.md is what a receiver needs to know. */
const webhook: Notifier = {
  kind: 'webhook',
  preflight: async (consumer, { env }) => probe(settingsOf(settings, consumer), env.ca),
  advance: async (change, consumer, context) => {
    const { receipt } = context
    if (receipt?.received && receipt.phase === 'drained')
      return { phase: 'drained', evidence: `callback at ${new Date(receipt.at).toISOString()}` }
    const wanted = settingsOf(settings, consumer)
    const keys = wanted.keys.map((key) => new SecretText(key))
    const body = JSON.stringify(eventOf(change, consumer))
    const signed = signMessage(keys, change.id, context.env.now(), body)
    const headers = { 'content-type': 'application/cloudevents+json; charset=utf-8', 'user-agent': 'keyturn', ...signed }
    return stateOf(await post(wanted, headers, body, context.env.ca), change, wanted, context)
  },
  classify: (cause) => (cause instanceof RotationError ? cause.code : 'internal'),
}

/** The keys that prove a receipt, in an answer or in a callback. */
const receiptKeysOf = ({ keys, receiptKeys }: WebhookSettings): readonly SecretText[] =>
  [...keys, ...receiptKeys].map((key) => new SecretText(key))

/** A bare 2xx only says that the message arrived. Only a signed receipt says more. */
function stateOf(answer: Answer, change: Change, wanted: WebhookSettings, { env }: NotifierContext): ConsumerState {
  const { status } = answer
  const again = againAt(answer, change, env.now())
  if (status >= 200 && status < 300) return stateOfReceipt(answer, change, wanted, env.now())
  if (status === 410)
    return {
      phase: 'failed',
      code: 'delivery_refused',
      again: env.now() + againMsMax,
      evidence: 'HTTP 410: it does not want announcements any more',
    }
  const why = status >= 300 && status < 400 ? `HTTP ${status}: redirects are not followed` : `HTTP ${status}`
  return { phase: 'failed', code: 'delivery_failed', again, evidence: why }
}

function stateOfReceipt(answer: Answer, change: Change, wanted: WebhookSettings, now: number): ConsumerState {
  const { status, headers, body } = answer
  const receipt = readReceipt(body)
  if (receipt?.id !== change.id) return { phase: 'requested', evidence: `HTTP ${status}` }
  const { phase } = receipt
  const wrong = whyNotSigned(receiptKeysOf(wanted), headers, body, now)
  if (wrong === undefined) return { phase, evidence: `signed answer ${phase}` }
  return { phase: 'requested', evidence: `HTTP ${status}; it says ${phase}, but ${wrong}` }
}

/** Retry-After where the receiver gives one. Otherwise the pause is longer for an older publication: one minute to one hour. */
function againAt({ headers }: Answer, change: Change, now: number): number {
  const asked = retryAfterMs(headers['retry-after'], now) ?? now - change.sequence
  return now + Math.min(againMsMax, Math.max(againMsMin, asked))
}

export const checkCallback: CheckCallback = (consumer, callback, now) =>
  checkSigned(receiptKeysOf(settingsOf(settings, consumer)), callback, now)

/** Returns the same notifier each time: how far a consumer is comes from its answers and callbacks. */
export const create = (): Notifier => webhook
