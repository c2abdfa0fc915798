import { Cron } from 'croner'
import type { SecretsManagerDouble } from '../secrets-manager.js'
import { badParameter, current, dayMs, holderOf, pending, type RotationRules, type Secret } from './model.js'

/** When a rotation may start: from a full hour on, for as many hours as the rules say. Milliseconds, UTC. */
export interface RotationWindow {
  readonly opensAt: number
  readonly closesAt: number
}

const hourMs = 3_600_000
const startOfDay = (at: number): number => Math.floor(at / dayMs) * dayMs
const onTheHour = (at: number): number => Math.ceil(at / hourMs) * hourMs

type Every = { readonly unit: 'hours' | 'days'; readonly next: (after: number) => number }

/** Hours and days differ in how long a window is by default, and in what it may not cross. */
function everyOf({ AutomaticallyAfterDays: days, ScheduleExpression: expression = '' }: RotationRules): Every | undefined {
  const inDays = (count: number): Every => ({ unit: 'days', next: (after) => startOfDay(after + count * dayMs) })
  if (days !== undefined) return inDays(days)
  const rate = /^rate\((\d+) (hour|day)s?\)$/.exec(expression)
  if (rate) {
    const count = Number(rate[1])
    return rate[2] === 'day' ? inDays(count) : { unit: 'hours', next: (after) => onTheHour(after + count * hourMs) }
  }
  const fields = /^cron\((.*)\)$/.exec(expression)?.[1]?.trim().split(/\s+/)
  return fields ? cronOf(fields) : undefined
}

/** cron(minutes hours day-of-month month day-of-week year): the minutes are 0 and the year is *, 1 is Sunday. */
function cronOf(fields: readonly string[]): Every | undefined {
  const [minutes, hours = '', day = '', month = '', weekday = '', year] = fields
  if (fields.length !== 6 || minutes !== '0' || year !== '*' || (day === '?') === (weekday === '?')) return undefined
  try {
    const cron = new Cron(`0 ${hours.replace(/^\//, '0/').replace(/^\*\//, '0/')} ${day} ${month} ${weekday}`, {
      timezone: 'UTC',
      paused: true,
      sloppyRanges: true,
      alternativeWeekdays: true,
    })
    return {
      unit: /^\d+$/.test(hours) ? 'days' : 'hours',
      next: (after) => cron.nextRun(new Date(after))?.getTime() ?? Number.POSITIVE_INFINITY,
    }
  } catch {
    return undefined
  }
}

const windowFrom = (opensAt: number, { unit }: Every, { Duration }: RotationRules): RotationWindow => {
  const hours = Duration === undefined ? undefined : Number.parseInt(Duration, 10)
  if (hours !== undefined) return { opensAt, closesAt: opensAt + hours * hourMs }
  return { opensAt, closesAt: unit === 'hours' ? opensAt + hourMs : startOfDay(opensAt) + dayMs }
}

/** Days or an expression, never both; whole hours; at least four hours and at most 999 days apart; a window ends before its day, or the next one. */
export function checkRules(rules: RotationRules): void {
  const { AutomaticallyAfterDays: days, ScheduleExpression: expression, Duration: duration } = rules
  if (days !== undefined && expression !== undefined)
    throw badParameter('You cannot specify both AutomaticallyAfterDays and ScheduleExpression.')
  if (days !== undefined && (days < 1 || days > 1000)) throw badParameter('AutomaticallyAfterDays must be between 1 and 1000.')
  if (duration !== undefined && !/^[1-9]\d?h$/.test(duration)) throw badParameter('The Duration must be in hours, such as 3h.')
  if (expression !== undefined && expression.length > 256) throw badParameter('The ScheduleExpression is longer than 256 characters.')
  const rate = /^rate\((\d+) (hour|day)s?\)$/.exec(expression ?? '')
  const rateHours = rate ? Number(rate[1]) * (rate[2] === 'day' ? 24 : 1) : undefined
  if (rateHours !== undefined && (rateHours < 4 || rateHours > 999 * 24))
    throw badParameter('The rate must be between 4 hours and 999 days.')
  const every = everyOf(rules)
  if (every === undefined && expression !== undefined) throw badParameter('The ScheduleExpression is not valid.')
  if (every !== undefined) checkWindows(every, rules)
}

/** The next dozen of windows, of any day: none shorter than four hours apart, none open into the next one or into the next day. */
function checkWindows(every: Every, rules: RotationRules): void {
  let at = every.next(Date.UTC(2026, 0, 1))
  for (let count = 0; count < 12; count++) {
    const { opensAt, closesAt } = windowFrom(at, every, rules)
    const next = every.next(opensAt)
    if (next - opensAt < 4 * hourMs) throw badParameter('The rotations must be at least 4 hours apart.')
    if (closesAt > next) throw badParameter('The rotation window must not extend into the next rotation window.')
    if (every.unit === 'days' && closesAt > startOfDay(opensAt) + dayMs)
      throw badParameter('The rotation window must not extend into the next UTC day.')
    at = next
  }
}

/** The window that comes next, or is open; a value put by hand and an attempt that failed count as rotations. undefined: no schedule. */
export function windowOf({ rotation, createdAt, rotatedAt = 0, putAt = 0 }: Secret, now: number): RotationWindow | undefined {
  const { enabled, rules, setAt = 0, triedAt = 0 } = rotation
  if (!enabled || rules === undefined) return undefined
  const every = everyOf(rules)
  if (every === undefined) return undefined
  let window = windowFrom(every.next(Math.max(createdAt, rotatedAt, putAt, setAt, triedAt)), every, rules)
  while (window.closesAt <= now) window = windowFrom(every.next(window.opensAt), every, rules) // a missed one is not made up for
  return window
}

/** What the service's clock does: each rotation whose window is open is started once in it. Answers which were. */
export function startDue(double: SecretsManagerDouble, start: (secret: Secret, token: string) => void): readonly string[] {
  const now = double.now()
  const due = [...double.secrets.values()].filter(({ deletedAt }) => deletedAt === undefined)
  const started = due.filter((secret) => {
    const window = windowOf(secret, now)
    if (window === undefined || now < window.opensAt) return false
    secret.rotation.triedAt = now
    const holder = holderOf(secret, pending)
    if (holder === undefined || holder.stages.has(current)) start(secret, double.newId())
    else void double.attempt(secret) // a rotation that is not complete is gone on with, with its own token
    return true
  })
  return started.map(({ name }) => name)
}
