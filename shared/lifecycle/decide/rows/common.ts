import { optional } from '../../../core/optional.js'
import { showDuration } from '../../../core/policy/index.js'
import type { Retiring, Seen } from '../../../core/ports/store.js'
import type { CredentialId } from '../../../core/ports/words.js'
import type { Action, Look, Refused } from '../action.js'
import { countsFrom, endOf, leftAt, occupied } from '../reckoned.js'

/** Makes a refusal. `next` is for cases where the code's own remedy does not help; <ref> in it becomes the secret. */
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
 * Whether nobody can continue the open rotation. Only the same put, which holds the value, can continue a put whose value was never kept. A rollback
 * whose value the target refused would only be refused again. A rotation cannot make a value from one that cannot be read. A put replaces a rotation
 * of a self-issued kind that has no value: the put may correct the very value that no rotation can begin from.
 */
export function cannotContinue({ open, state, request, facts }: Look): boolean {
  if (open === undefined || state.pending !== undefined) return false
  if (facts.parts === true && open.kind !== 'put') return true
  if (facts.unreadable === true && open.kind !== 'put') return true
  if (facts.selfIssued === true && request.kind === 'emergency' && open.kind !== 'emergency') return true
  if (facts.selfIssued === true && request.kind === 'put' && open.kind !== 'put') return true
  if (open.kind === 'put') return request.kind !== 'put' || request.token !== open.token
  return open.kind === 'rollback' && open.refusals > 0
}
/** The token of the open rotation whose place the action takes; nothing where none is open. */
export const replaces = ({ open }: Look) => (open ? { replaces: open.token } : {})

/** An issuer with a full cap retires the oldest undeclared credential (or one whose retiring was begun) before it makes a new one. */
export function retireFirst({ state, facts }: Look): { retireFirst?: CredentialId } {
  const retiring = state.journal?.retiring ?? []
  if (!facts.mints || facts.slots === null || 1 + retiring.length < facts.slots) return {}
  const mayEnd = (entry: Retiring): boolean =>
    entry.state === 'armed' || (entry.state === 'undeclared' && endOf(state, entry, facts.now) <= facts.now)
  const [oldest] = retiring.filter(mayEnd).sort((a, b) => a.notBefore - b.notBefore)
  return oldest ? { retireFirst: oldest.id } : {}
}

function shownNames(keys: readonly string[], { places }: { readonly places?: Look['facts']['places'] }): string {
  const shown = keys.map((key) => (places?.[key] === undefined ? key : `${key} (${places[key]})`))
  return shown.join(', ')
}

const keysSeen = ({ journal }: Look['state'], matches: (seen: Seen) => boolean): readonly string[] =>
  Object.entries(journal?.seen ?? {}).flatMap(([key, seen]) => (matches(seen) ? [key] : []))

/** The consumers that have not been seen on current, and the credentials that are kept for them, by name. */
function waitingFor({ state, facts }: Look): string {
  const { journal, current } = state
  const ids = (journal?.retiring ?? []).map(({ id, state: phase }) => `${id} ${phase}`)
  if (ids.length === 0) return ''
  const behind = keysSeen(state, (seen) => seen.version !== current?.id || seen.phase !== 'drained')
  const names = behind.length > 0 ? `; not drained: ${shownNames(behind, facts)}` : ''
  return ` (${ids.join(', ')}${names})`
}

/** The consumers that could not be notified about the current value, by name. */
function undelivered({ state, facts }: Look): string {
  const { current, journal } = state
  const keys = keysSeen(state, (seen) => seen.version === current?.id && seen.phase === 'failed')
  const evidence = keys.flatMap((key) => journal?.seen?.[key]?.evidence?.replace(/\.$/, '') ?? [])
  return keys.length > 0 ? `: ${[`${shownNames(keys, facts)} could not be notified`, ...evidence].join('; ')}` : ''
}

const whyNots = {
  bad_config: 'a required consumer is misconfigured',
  delivery_refused: 'a required consumer refuses announcements',
  held: 'a required consumer could not follow now',
} as const
/** What to do once the reason was given. */
const nextSaid = {
  bad_config: 'Correct that, then run keyturn rotate <ref>: it asks the consumer again.',
  delivery_refused: 'Correct that, then run keyturn sweep; keyturn status <ref> shows each consumer.',
  held: 'Once that is over, run keyturn rotate <ref>: it asks the consumer again. keyturn status <ref> shows each consumer.',
} as const
/** Where no reason was noted. */
const nextSilent =
  'Run keyturn doctor: it asks the consumer again and says why. Correct that, then run keyturn sweep; keyturn status <ref> shows each consumer.'

/** The refusal for the first of these codes that a consumer has, with the reason of each such consumer. */
function consumersAgainst({ facts }: Look, codes: readonly Refused['code'][]): Action | undefined {
  const { refused = [], places } = facts
  const code = codes.find((one) => refused.some((each) => each.code === one))
  if (code === undefined) return undefined
  const those = refused.filter((one) => one.code === code)
  const said = those.flatMap(({ key, why }) => (why === undefined ? [] : [shownReason(key, why, places)]))
  const silent = those.filter(({ why }) => why === undefined).map(({ key }) => key)
  const names = [...(silent.length > 0 ? [shownNames(silent, { places })] : []), ...said].join('; ')
  return refuse(code === 'bad_config' ? code : 'held', `${whyNots[code]}: ${names}`, silent.length > 0 ? nextSilent : nextSaid[code])
}

const shownReason = (key: string, why: string, places: Look['facts']['places']): string =>
  `${shownNames([key], { places })}: ${why.replace(/\.$/, '')}`

/** Rows 23 to 26: what holds a new rotation. */
export function hold(look: Look): Action | undefined {
  const { state, request, facts } = look
  if (facts.frozen !== undefined && request.kind === 'rotate') return refuse('held', facts.frozen, facts.thaw)
  // Waiting helps neither the announcement nor the rotation. What is put may be just what such a consumer waits for.
  const misconfigured = request.kind === 'put' ? undefined : consumersAgainst(look, ['bad_config'])
  if (misconfigured !== undefined) return misconfigured
  if (facts.journal && facts.consumers && (state.journal?.announced ?? null) !== look.base)
    return refuse(
      'held',
      `the last publication is not announced to every consumer yet${undelivered(look)}`,
      'Run keyturn retire <ref>: it notifies them, and names those that could not be notified.',
    )
  const refused = request.kind === 'put' ? undefined : consumersAgainst(look, ['delivery_refused', 'held'])
  if (refused !== undefined) return refused
  const from = countsFrom(state, leftAt(state, facts.now), facts.now)
  if (from === undefined && facts.slots !== 1 && state.previous !== undefined)
    return refuse(
      'held',
      'the last publication is from the future: a clock was ahead, and grace counts from when that is noted',
      facts.journal
        ? 'Set the clocks right (keyturn doctor), then run keyturn retire <ref>: grace counts from then.'
        : 'Set the clocks right: keyturn doctor names <ref>. Where no notes are kept, only keyturn rotate <ref> --emergency --reason … passes before.',
    )
  const graceEnd = (from ?? state.publishedAt) + facts.graceMs
  if (facts.slots !== 1 && state.previous !== undefined && facts.now < graceEnd) {
    const left = showDuration(Math.max(1000, graceEnd - facts.now))
    return refuse('held', `the outgoing credential stays valid for another ${left}`)
  }
  const used = occupied(state, facts.now)
  if (facts.slots !== null && facts.slots > 1 && 1 + used >= facts.slots)
    return refuse(
      'held',
      `all ${facts.slots} credentials are still in use${waitingFor(look)}`,
      'Run keyturn status <ref>: it shows which consumers it waits for, and the command that helps.',
    )
  return undefined
}
