import { RotationError } from '../../../core/errors.js'
import { fractionOf } from '../../../core/ids.js'
import { parseDuration, prefix, type Settings } from '../../../core/policy/index.js'
import type { SecretView } from '../../../core/ports/store.js'
import type { Policy, RotationRequest, SecretRef } from '../../../core/ports/words.js'
import { isOnPlatformSchedule } from '../defaults.js'

/** How often one part is rotated. */
export interface PartSchedule {
  readonly field: string
  readonly everyMs: number
}

/**
 * The schedules of all parts, where at least one has its own: the others have the secret's. undefined where none has its own. bad_policy where the
 * platform has a schedule, which is for the whole secret, and for a part's schedule that is not longer than the grace.
 */
export function partSchedules(
  policy: Policy,
  fields: readonly string[],
  { everyMs, graceMs }: Settings,
  state: Pick<SecretView, 'native' | 'drivenBy'>,
): readonly PartSchedule[] | undefined {
  const own = fields.filter((field) => policy[keyOf(field)] !== undefined)
  const [first] = own
  if (first === undefined) return undefined
  if (isOnPlatformSchedule(state))
    throw new RotationError('bad_policy', `${keyOf(first)}: the platform has one schedule for the whole secret.`, {
      field: keyOf(first),
      next: `Remove it, and set the platform's schedule. To rotate one part by hand: keyturn rotate <ref>#${first} --emergency --reason ….`,
    })
  return fields.flatMap((field) => {
    const text = policy[keyOf(field)]
    const ms = text === undefined ? everyMs : parseDuration(text)
    if (ms === undefined) return []
    if (ms > graceMs) return [{ field, everyMs: ms }]
    throw new RotationError('bad_policy', `${keyOf(field)} must be longer than ${prefix}grace.`, {
      field: keyOf(field),
      next: 'A rotation cannot start before the grace of the last one is over.',
    })
  })
}
const keyOf = (field: string): string => `${prefix}${field}-every`

/**
 * No note records when each part changed. Instead a part is due at fixed times, its period apart; its name and the secret's spread them. A
 * publication after such a time has changed the part, because every ordinary rotation includes all parts that are due.
 */
const turnOf = (ref: SecretRef, { field, everyMs }: PartSchedule, at: number): number =>
  Math.floor((at - phaseOf(ref, field, everyMs)) / everyMs)
const phaseOf = ({ store, key }: SecretRef, field: string, everyMs: number): number =>
  Math.floor(fractionOf(`${store}:${key}#${field}`) * everyMs)

/** The fields of the parts that have come due since the last publication. */
export const partsDue = (schedules: readonly PartSchedule[], { ref, publishedAt }: SecretView, now: number): readonly string[] =>
  schedules.filter((one) => turnOf(ref, one, now) > turnOf(ref, one, publishedAt)).map(({ field }) => field)

/** When the first of them is due after the last publication; undefined where none has a schedule. */
export function firstPartDue(schedules: readonly PartSchedule[], { ref, publishedAt }: SecretView): number | undefined {
  const nextTime = (one: PartSchedule): number => {
    const turn = turnOf(ref, one, publishedAt) + 1
    return turn * one.everyMs + phaseOf(ref, one.field, one.everyMs)
  }
  return schedules.length === 0 ? undefined : Math.min(...schedules.map(nextTime))
}

/** What a request asks to change. */
export type Wanted = Pick<RotationRequest, 'kind' | 'part' | 'due' | 'at'>

/**
 * The parts that one rotation changes; undefined: all of them. An ordinary rotation of a single part includes the parts that are due, an emergency
 * does not. It changes none where a later publication answers the request. held where nothing is due any more, because the look behind it was old.
 */
export function chosenParts(
  { kind, part, due, at }: Wanted,
  schedules: readonly PartSchedule[] | undefined,
  state: SecretView,
  now: number,
): readonly string[] | undefined {
  if (part === undefined && (due === undefined || schedules === undefined)) return undefined
  const ripe = schedules === undefined || kind !== 'rotate' ? [] : partsDue(schedules, state, now)
  const chosen = part === undefined || ripe.includes(part) ? ripe : [part, ...ripe]
  const wasRotated = state.previous !== undefined || state.current?.ours !== undefined
  const answered = wasRotated && state.publishedAt >= at
  if (chosen.length > 0 || answered) return chosen
  throw new RotationError('held', `No part of ${state.ref.shown} is due.`, {
    next: `Nothing to do: it was rotated meanwhile. keyturn status ${state.ref.shown} shows when it is due.`,
  })
}
