import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { inWindow, parseWindow, type Window } from '../../shared/core/policy/index.js'

const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
const minuteMs = 60_000
const windowOf = (text: string): Window => {
  const window = parseWindow(text)
  return typeof window === 'string' ? assert.fail(`${text}: ${window}`) : window
}
/** The instants at which the window opens and closes, minute by minute, as UTC. */
function edges(text: string, from: string, to: string): readonly string[] {
  const window = windowOf(text)
  const times = Array.from({ length: (Date.parse(to) - Date.parse(from)) / minuteMs }, (_, index) => Date.parse(from) + index * minuteMs)
  return times
    .filter((time) => inWindow(window, time) !== inWindow(window, time - minuteMs))
    .map((time) => new Date(time).toISOString().slice(0, 16))
}
const two = (value: number): string => String(value).padStart(2, '0')
const clock = (minute: number): string => `${two(Math.floor(minute / 60))}:${two(minute % 60)}`

describe('a window in UTC', () => {
  it('is open exactly from its start to its end, on its days, across midnight too', () => {
    const days = fc.subarray([0, 1, 2, 3, 4, 5, 6])
    const start = fc.integer({ min: 0, max: 1439 })
    const end = fc.integer({ min: 0, max: 1440 })
    const time = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) })
    fc.assert(
      fc.property(days, start, end, time, (chosen, from, to, now) => {
        fc.pre(from !== to)
        const text = [...chosen.map((day) => names[day]), `${clock(from)}-${clock(to)}`].join(' ')
        const midnight = Math.floor(now / 86_400_000) * 86_400_000
        const opensOn = (shift: number): boolean => {
          const begin = midnight + shift * 86_400_000
          const open = begin + from * minuteMs
          const close = begin + (to > from ? to : to + 1440) * minuteMs
          return (chosen.length === 0 || chosen.includes(new Date(begin).getUTCDay())) && now >= open && now < close
        }
        assert.equal(inWindow(windowOf(text), now), opensOn(0) || opensOn(-1), `${text} at ${new Date(now).toISOString()}`)
      }),
      { numRuns: 500 },
    )
  })

  it('takes days in any case and order, and midnight as 24:00', () => {
    assert.deepEqual(windowOf('SUN Sat 22:00-24:00 UTC'), { days: [0, 6], fromMinute: 1320, toMinute: 1440, zone: 'UTC' })
    assert.deepEqual(edges('sat 22:00-24:00', '2026-01-02T00:00Z', '2026-01-06T00:00Z'), ['2026-01-03T22:00', '2026-01-04T00:00'])
    assert.deepEqual(edges('sat 22:00-00:00', '2026-01-02T00:00Z', '2026-01-06T00:00Z'), ['2026-01-03T22:00', '2026-01-04T00:00'])
  })
})

describe('a window in Europe/Berlin', () => {
  it('is two hours off in summer, one in winter', () => {
    const at = (day: string) => edges('02:00-05:00 Europe/Berlin', `${day}T00:00Z`, `${day}T12:00Z`).map((time) => time.slice(11))
    assert.deepEqual(
      [at('2026-01-14'), at('2026-07-14')],
      [
        ['01:00', '04:00'],
        ['00:00', '03:00'],
      ],
    )
  })

  it('loses the hour that 2026-03-29 skips', () => {
    const day = ['2026-03-28T12:00Z', '2026-03-29T12:00Z'] as const
    assert.deepEqual(edges('sun 02:00-03:00 Europe/Berlin', ...day), [])
    assert.deepEqual(edges('sun 01:00-04:00 Europe/Berlin', ...day), ['2026-03-29T00:00', '2026-03-29T02:00'])
    assert.deepEqual(edges('sun 02:30-04:00 Europe/Berlin', ...day), ['2026-03-29T01:00', '2026-03-29T02:00'])
    assert.deepEqual(edges('sat 22:00-04:00 Europe/Berlin', ...day), ['2026-03-28T21:00', '2026-03-29T02:00'])
  })

  it('has the hour twice that 2026-10-25 repeats', () => {
    const day = ['2026-10-24T12:00Z', '2026-10-25T12:00Z'] as const
    assert.deepEqual(edges('sun 01:00-04:00 Europe/Berlin', ...day), ['2026-10-24T23:00', '2026-10-25T03:00'])
    assert.deepEqual(edges('sun 02:00-02:30 Europe/Berlin', ...day), [
      '2026-10-25T00:00',
      '2026-10-25T00:30',
      '2026-10-25T01:00',
      '2026-10-25T01:30',
    ])
    assert.deepEqual(edges('sat 22:00-04:00 Europe/Berlin', ...day), ['2026-10-24T20:00', '2026-10-25T03:00'])
  })

  it('goes by the day there, not here', () =>
    assert.deepEqual(edges('sun 00:00-01:00 Europe/Berlin', '2026-07-04T12:00Z', '2026-07-05T12:00Z'), [
      '2026-07-04T22:00',
      '2026-07-04T23:00',
    ]))
})

describe('other zones', () => {
  it('may be half an hour off, or beyond the date line', () => {
    assert.deepEqual(edges('mon 00:00-01:00 Asia/Kolkata', '2026-06-07T00:00Z', '2026-06-09T00:00Z'), [
      '2026-06-07T18:30',
      '2026-06-07T19:30',
    ])
    assert.deepEqual(edges('mon 00:00-01:00 Pacific/Kiritimati', '2026-06-07T00:00Z', '2026-06-09T00:00Z'), [
      '2026-06-07T10:00',
      '2026-06-07T11:00',
    ])
  })
})

describe('a window in any zone', () => {
  it('goes by the clock on its wall, as the system shows it', () => {
    const zone = fc.constantFrom(...Intl.supportedValuesOf('timeZone'))
    const time = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2040, 0, 1) })
    fc.assert(
      fc.property(zone, time, (timeZone, now) => {
        const shown = new Date(now).toLocaleString('en-GB', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit' })
        const [, day = '', hour, minute] = /^(\w{3})\D+(\d\d):(\d\d)/.exec(shown) ?? assert.fail(shown)
        const from = Number(hour) * 60 + Number(minute)
        const open = inWindow(windowOf(`${day} ${clock(from)}-${clock(from + 1)} ${timeZone}`), now)
        assert.ok(open, `${timeZone} at ${new Date(now).toISOString()}: ${shown}`)
      }),
      { numRuns: 2000 },
    )
  })
})
