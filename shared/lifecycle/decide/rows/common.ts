import { optional } from '../../../core/optional.js'
import { showDuration } from '../../../core/policy/index.js'
import type { CredentialId } from '../../../core/ports/words.js'
import { type Action, type Look, occupied } from '../action.js'

/** `next`: where the code's own remedy is not the way out; <ref> stands for the secret. */
export const refuse = (code: Extract<Action, { do: 'refuse' }>['code'], why: string, next?: string): Action => ({
  do: 'refuse',
  code,
  why,
  ...optional('next', next),
})
/** Whether the request is of one of these kinds. */
export const is =
  (...kinds: string[]) =>
  ({ request }: Look) =>
    kinds.includes(request.kind)
/** The token of the request, to be spread into an action; nothing where it has none. */
export const tokenOf = ({ request }: Look): { token?: NonNullable<Look['request']['token']> } =>
  request.token ? { token: request.token } : {}
/**
 * A put whose value was never kept: only who holds that value, the same put again, can go on. A rollback whose value the target refused: offered
 * again it would only be refused again.
 */
export const cannotContinue = ({ open, state, request, facts }: Look): boolean =>
  state.pending === undefined &&
  ((facts.parts === true && open !== undefined && open.kind !== 'put') ||
    (facts.selfIssued === true && request.kind === 'emergency' && open !== undefined && open.kind !== 'emergency') ||
    (open?.kind === 'put' && !(request.kind === 'put' && request.token === open.token)) ||
    (open?.kind === 'rollback' && open.refusals > 0))
/** The token of the open rotation whose place the action takes; nothing where none is open. */
export const replaces = ({ open }: Look) => (open ? { replaces: open.token } : {})

/** An issuer with a full cap retires the oldest undeclared credential (or one whose retiring was begun) before it makes a new one. */
export function retireFirst({ state, facts }: Look): { retireFirst?: CredentialId } {
  const retiring = state.journal?.retiring ?? []
  if (!facts.mints || facts.slots === null || 1 + retiring.length < facts.slots) return {}
  const oldest = retiring
    .filter(({ state: phase, notBefore }) => phase === 'armed' || (phase === 'undeclared' && notBefore <= facts.now))
    .sort((a, b) => a.notBefore - b.notBefore)[0]
  return oldest ? { retireFirst: oldest.id } : {}
}

const shown = (key: string, { places }: Look['facts']): string => (places?.[key] === undefined ? key : `${key} (${places[key]})`)

/** By name: who has not been seen on current, and what is kept for them. */
function waitingFor({ state: { journal, current }, facts }: Look): string {
  const ids = (journal?.retiring ?? []).map(({ id, state: phase }) => `${id} ${phase}`)
  const behind = Object.entries(journal?.seen ?? {}).filter(([, seen]) => seen.version !== current?.id || seen.phase !== 'drained')
  const names = behind.length > 0 ? `; not drained: ${behind.map(([key]) => shown(key, facts)).join(', ')}` : ''
  return ids.length > 0 ? ` (${ids.join(', ')}${names})` : ''
}

/** By name: who could not be told of what is current. */
function untold({ state: { journal, current }, facts }: Look): string {
  const names = Object.entries(journal?.seen ?? {}).filter(([, seen]) => seen.version === current?.id && seen.phase === 'failed')
  return names.length > 0 ? `: ${names.map(([key]) => shown(key, facts)).join(', ')} could not be told` : ''
}

/** Rows 23 to 26: what holds a new rotation. */
export function hold(look: Look): Action | undefined {
  const { state, request, facts } = look
  if (facts.frozen !== undefined && request.kind === 'rotate') return refuse('held', facts.frozen, facts.thaw)
  if (facts.journal && facts.consumers && (state.journal?.announced ?? null) !== look.base)
    return refuse(
      'held',
      `the last publication is not announced to every consumer yet${untold(look)}`,
      'Run keyturn retire <ref>: it tells them, and says who could not be told.',
    )
  if (facts.refused !== undefined && facts.refused.length > 0)
    return refuse(
      'held',
      `a required consumer refuses announcements, or is mis-set: ${facts.refused.map((key) => shown(key, facts)).join(', ')}`,
      'keyturn doctor says why. Correct it, then run keyturn sweep.',
    )
  const graceEnd = state.publishedAt + facts.graceMs
  if (facts.slots !== 1 && state.previous !== undefined && facts.now < graceEnd) {
    return refuse('held', `the outgoing credential stays valid for another ${showDuration(Math.max(1000, graceEnd - facts.now))}`)
  }
  const used = occupied(state.journal?.retiring ?? [], facts.now)
  if (facts.slots !== null && facts.slots > 1 && 1 + used >= facts.slots)
    return refuse(
      'held',
      `all ${facts.slots} credentials are still in use${waitingFor(look)}`,
      'Run keyturn status <ref>: it shows who is awaited, and the command that moves it.',
    )
  return undefined
}
