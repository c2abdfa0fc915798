import { RotationError } from '../core/errors.js'
import type { Callback, CheckCallback, Consumer } from '../core/ports/notifier.js'
import { type Receipt, readReceipt } from '../core/receipt.js'
import { noteSeen } from '../lifecycle/consumers/seen.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { loadCallbackCheck } from '../notifiers/registry.js'

/** All that the sender sees, as of HTTP: a few words, never why a signature did not fit. */
export type Reply = readonly [status: number, said: string]

/**
 * Takes a receipt in JSON, signed as the notifier of its consumer wants it. It counts only if a key of the very consumer that it names has signed it.
 * Noting it twice changes nothing. It throws only what is a fault of this program.
 */
export async function takeReceipt(depsOf: (ref: string) => Promise<Deps>, callback: Callback): Promise<Reply> {
  const receipt = readReceipt(callback.body)
  if (receipt?.ref === undefined || receipt.consumer === undefined) return [400, 'no receipt']
  let deps: Deps | undefined
  try {
    deps = await depsOf(receipt.ref)
    const consumer = (await deps.configuration()).consumers[receipt.consumer]
    const checked = await check(consumer, callback, deps)
    if ('why' in checked) {
      deps.env.log('receipt_refused', { consumer: receipt.consumer, why: checked.why })
      return [401, 'not accepted']
    }
    return await note(deps, receipt, receipt.ref, receipt.consumer, checked.signedAt)
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
    const { code, remedy, message } = cause
    deps?.env.log('receipt_failed', { consumer: receipt.consumer, code, why: message })
    return remedy === 'retry' || remedy === 'reread' ? [503, 'try again'] : [422, code]
  }
}

async function check(consumer: Consumer | undefined, callback: Callback, { env }: Deps): Promise<ReturnType<CheckCallback>> {
  if (consumer === undefined) return { why: 'there is no such consumer' }
  const checkCallback = await loadCallbackCheck(consumer.kind)
  return checkCallback?.(consumer, callback, env.now()) ?? { why: `consumers of kind ${consumer.kind} never call back` }
}

async function note(deps: Deps, { phase, id }: Receipt, ref: string, consumer: string, at: number): Promise<Reply> {
  try {
    await noteSeen(deps, ref, { consumer, phase, changeId: id, at })
    return [202, 'noted']
  } catch (cause) {
    if (cause instanceof RotationError && cause.code === 'conflict') return [409, 'not the current publication']
    throw cause
  }
}
