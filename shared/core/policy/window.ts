/** When rotations may start: `sat sun 02:00-05:00 Europe/Berlin`; no days means every day, no zone means UTC; may cross midnight. */
export interface Window {
  readonly days: readonly number[]
  readonly fromMinute: number
  readonly toMinute: number
  readonly zone: string
}

const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** Returns the window, or what is wrong with the text, in words. */
export function parseWindow(text: string): Window | string {
  const words = text.trim().split(/ +/)
  const days: number[] = []
  while (words[0] !== undefined && dayNames.includes(words[0].toLowerCase()))
    days.push(dayNames.indexOf((words.shift() ?? '').toLowerCase()))
  const hours = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(words.shift() ?? '')
  if (!hours) return 'needs days (mon … sun), then hours like 02:00-05:00, then a time zone like Europe/Berlin'
  const [fromHour = 0, from = 0, toHour = 0, to = 0] = hours.slice(1).map(Number)
  if (fromHour > 23 || toHour > 24 || from > 59 || to > 59 || toHour * 60 + to > 1440) return 'names an hour that does not exist'
  const zone = words.shift() ?? 'UTC'
  if (words.length > 0) return `has unknown words after the time zone: "${words.join(' ')}"`
  if (!isZone(zone)) return `names the unknown time zone "${zone}"`
  const window = {
    days: days.length > 0 ? days : dayNames.map((_, index) => index),
    fromMinute: fromHour * 60 + from,
    toMinute: toHour * 60 + to,
    zone,
  }
  return window.fromMinute === window.toMinute ? 'is empty: it ends when it starts' : window
}

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined
  } catch (cause) {
    if (cause instanceof RangeError) return false
    throw cause
  }
}

/** Follows the wall clock: the hour that a change to summer time skips does not exist, and the hour that is repeated counts twice. */
export function inWindow({ zone, fromMinute, toMinute, days }: Window, now: number): boolean {
  const local = Math.floor((now + offsetMs(zone, now)) / minuteMs)
  const minute = local % dayMinutes
  const day = (Math.floor(local / dayMinutes) + epochDay) % 7
  if (fromMinute < toMinute) return days.includes(day) && minute >= fromMinute && minute < toMinute
  return (days.includes(day) && minute >= fromMinute) || (days.includes((day + 6) % 7) && minute < toMinute)
}

const minuteMs = 60_000
const dayMinutes = 1440
/** 1 January 1970 was a Thursday. */
const epochDay = 4
const dayMs = dayMinutes * minuteMs
const offsetsMax = 20_000
const offsets = new Map<string, number>()

/** How far the zone's clock is ahead of UTC. No zone changes its clock twice in a day: if both ends of a day agree, so does the time in between. */
function offsetMs(zone: string, now: number): number {
  const midnight = Math.floor(now / dayMs) * dayMs
  const before = keptOffsetMs(zone, midnight)
  return before === keptOffsetMs(zone, midnight + dayMs) ? before : measuredOffsetMs(zone, now)
}

/** Keeps the offsets, because a sweep asks for the same days for each of many secrets. */
function keptOffsetMs(zone: string, at: number): number {
  const key = `${zone} ${at}`
  const known = offsets.get(key)
  if (known !== undefined) return known
  const offset = measuredOffsetMs(zone, at)
  if (offsets.size >= offsetsMax) offsets.clear()
  offsets.set(key, offset)
  return offset
}

function measuredOffsetMs(zone: string, at: number): number {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, value]),
  )
  const day = dayNames.indexOf((parts.get('weekday') ?? '').toLowerCase())
  const local = day * dayMinutes + Number(parts.get('hour')) * 60 + Number(parts.get('minute'))
  const week = 7 * dayMinutes
  const utc = (Math.floor(at / minuteMs) + epochDay * dayMinutes) % week
  const ahead = (local - utc + week) % week
  return (ahead > week / 2 ? ahead - week : ahead) * minuteMs
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Makes one per zone: making one costs more than a thousand uses. */
function formatOf(zone: string): Intl.DateTimeFormat {
  const there = formats.get(zone)
  if (there !== undefined) return there
  const parts = { weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  const made = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...parts })
  formats.set(zone, made)
  return made
}
