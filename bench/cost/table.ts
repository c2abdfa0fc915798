import type { Counts } from './counts.js'
import { without } from './counts.js'
import type { CloudCalls, Lived } from './lived.js'

/** What is called for one look with nothing due, one secret in a day, and one rotation until the old credential has ended. */
export interface Rates {
  readonly calls: CloudCalls
  readonly look: Counts
  readonly day: Counts
  readonly rotation: Counts
  /** Versions that are not destroyed, of one secret and its staging place: before the rotation, and how many more after it. */
  readonly versions: { readonly before: number; readonly more: number }
}
/** How a month goes. */
export const month = { looks: 8640, days: 30, rotations: 1 } as const
export const fleets = [10, 1000, 100_000] as const

/** Takes the rates from a time in which nothing was due, and the same time with one rotation in it. */
export function ratesOf(calls: CloudCalls, idle: Lived, due: Lived, days: number): Rates {
  const { look, work } = calls
  const looks = Object.fromEntries(Object.entries(look).map(([kind, count]) => [kind, count * idle.looks]))
  const checks = idle.counts[work] ?? days // a check comes once in a day or a little less
  const rest = Object.entries(without(idle.counts, looks)).map(([kind, count]) => [kind, Math.round(count / checks)] as const)
  return {
    calls,
    look,
    day: Object.fromEntries(rest),
    rotation: without(due.counts, idle.counts),
    versions: { before: idle.versions, more: due.versions - idle.versions },
  }
}

/** The calls of a month of so many secrets, and of their configuration beside them. */
export function monthOf(secrets: number, { calls, look, day, rotation, versions }: Rates): Counts {
  const pagesOf = (kind: string): number => {
    const page = calls.pages[kind]
    return page === undefined ? 1 : Math.ceil(((page.hasPlaces ? 2 : 1) * secrets + 1) / page.size)
  }
  const kinds = new Set([...Object.keys(look), ...Object.keys(day), ...Object.keys(rotation)])
  const counts = [...kinds].map((kind) => {
    const perLook = (look[kind] ?? 0) * pagesOf(kind)
    const perSecret = (day[kind] ?? 0) * month.days + (rotation[kind] ?? 0) * month.rotations
    return [kind, month.looks * perLook + secrets * perSecret] as const
  })
  return { ...Object.fromEntries(counts), [calls.versions]: secrets * (versions.before + 12 * versions.more) }
}

const shown = (count: number | undefined): string => (count === undefined ? '' : count.toLocaleString('en-US'))

/** The two tables of a page of docs. */
export function tables(rates: Rates): readonly string[] {
  const months = fleets.map((secrets) => monthOf(secrets, rates))
  const kinds = Object.keys(months[0] ?? {}).sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
  const each = kinds
    .filter((kind) => kind !== rates.calls.versions)
    .map((kind) => `| ${kind} | ${shown(rates.look[kind])} | ${shown(rates.day[kind])} | ${shown(rates.rotation[kind])} |`)
  const all = kinds.map((kind) => `| ${kind} | ${months.map((counts) => shown(counts[kind])).join(' | ')} |`)
  return [
    ['| | a look | a secret in a day | a rotation |', '|---|---|---|---|', ...each].join('\n'),
    [`| | ${fleets.map((count) => `${shown(count)} secrets`).join(' | ')} |`, '|---|---|---|---|', ...all].join('\n'),
  ]
}
