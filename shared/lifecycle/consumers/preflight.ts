import { codeOf, RotationError } from '../../core/errors.js'
import type { Preflight } from '../../core/ports/notifier.js'
import type { SecretState, SecretView, Seen } from '../../core/ports/store.js'
import { guardNotifier } from '../guard/index.js'
import type { Deps } from '../secret/deps.js'
import { openSecret } from '../secret/open.js'
import type { Tools } from '../secret/setup.js'
import { notifierFor } from './deliver.js'

export interface Checked {
  readonly consumer: string
  readonly found: Preflight
}
const checkMsMax = 30_000

/** It wants none of this publication, or its last preflight found it mis-set, for whatever publication. */
export const isRefusing = (seen: Seen | undefined, { current }: SecretView): boolean =>
  seen?.code === 'bad_config' || (seen?.code === 'delivery_refused' && seen.version === current?.id)

/**
 * Asks each required consumer, before a new credential is made, whether it could follow at all. What is certainly mis-set is noted with its entry, where
 * `create` reads it, in a function that reaches no cluster, too; what cannot be reached blocks nothing. Repeatable; writes only what changed.
 */
export async function preflightPass(deps: Deps, refText: string): Promise<readonly Checked[]> {
  const { tools, ref, state, setup } = await openSecret(deps, refText)
  const { consumers } = await setup()
  const checked: Checked[] = []
  for (const consumer of consumers.filter(({ required }) => required)) {
    const notifier = guardNotifier(await notifierFor(tools, consumer.kind), tools.guard, ref.shown)
    const context = { env: tools.guard.env, deadline: deps.env.now() + checkMsMax }
    checked.push({ consumer: consumer.key, found: await attempt(() => notifier.preflight(consumer, context)) })
  }
  await noteRefusals(tools, state, checked)
  return checked
}

async function attempt(look: () => Promise<Preflight>): Promise<Preflight> {
  try {
    return await look()
  } catch (cause) {
    if (!(cause instanceof RotationError) || cause.code === 'audit_failed') throw cause
    return cause.code === 'bad_config'
      ? { verdict: 'refuse', why: cause.message, next: cause.next }
      : { verdict: 'unknown', why: cause.message }
  }
}

/** The entry says how far it is and, beside that, that it is mis-set; a phase that was reached is not taken back. */
async function noteRefusals(tools: Tools, state: SecretState, checked: readonly Checked[]): Promise<void> {
  const { env, journal } = tools.deps
  if (state.current === undefined || !journal) return
  const changed: Record<string, Seen> = {}
  for (const { consumer, found } of checked) {
    const known = state.journal?.seen?.[consumer]
    const refused = known?.code === 'bad_config'
    if (found.verdict === 'unknown' || (found.verdict === 'refuse') === refused) continue
    const { code: _, ...rest } = known ?? { version: state.current.id, phase: 'failed', at: env.now() }
    if (found.verdict === 'refuse') changed[consumer] = { ...rest, code: 'bad_config' }
    else changed[consumer] = rest.phase === 'failed' ? { ...rest, again: env.now() } : rest
  }
  if (Object.keys(changed).length === 0) return
  try {
    await tools.store.note(state, { seen: { ...state.journal?.seen, ...changed } })
  } catch (cause) {
    if (!['denied', 'conflict'].includes(codeOf(cause) ?? '')) throw cause // then the next look notes it
  }
}
