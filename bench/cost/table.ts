import type { Counts } from './counts.js'
import { without } from './counts.js'
import type { Lived } from './month.js'

/** What is called for one look with nothing due, one secret in a day, and one rotation until the old credential has ended. */
export interface Rates {
  readonly look: Counts
  readonly day: Counts
  readonly rotation: Counts
  /** Versions that are not destroyed, of one secret and its staging place: before the rotation, and how many more after it. */
  readonly versions: { readonly before: number; readonly more: number }
}
/** How a month goes. */
export const month = { looks: 8640, days: 30, rotations: 1 } as const
const pageSize = 2500
export const fleets = [10, 1000, 100_000] as const

/** Takes the rates from a time in which nothing was due, and the same time with one rotation in it. */
export function ratesOf(idle: Lived, due: Lived, days: number): Rates {
  const look: Counts = { 'invocations of sweep': 1, ListSecrets: 1, AccessSecretVersion: 1 }
  const looks = Object.fromEntries(Object.entries(look).map(([kind, count]) => [kind, count * idle.looks]))
  const checks = idle.counts.tasks ?? days // a check comes once in a day or a little less
  const rest = Object.entries(without(idle.counts, looks)).map(([kind, count]) => [kind, Math.round(count / checks)] as const)
  return {
    look,
    day: Object.fromEntries(rest),
    rotation: without(due.counts, idle.counts),
    versions: { before: idle.versions, more: due.versions - idle.versions },
  }
}

/** The calls of a month of so many secrets, each with its staging place beside it in the listing. */
export function monthOf(secrets: number, { look, day, rotation, versions }: Rates): Counts {
  const pages = Math.ceil((2 * secrets + 1) / pageSize)
  const kinds = new Set([...Object.keys(look), ...Object.keys(day), ...Object.keys(rotation)])
  const counts = [...kinds].map((kind) => {
    const perLook = (look[kind] ?? 0) * (kind === 'ListSecrets' ? pages : 1)
    const perSecret = (day[kind] ?? 0) * month.days + (rotation[kind] ?? 0) * month.rotations
    return [kind, month.looks * perLook + secrets * perSecret] as const
  })
  return { ...Object.fromEntries(counts), 'active versions after a year': secrets * (versions.before + 12 * versions.more) }
}

const shown = (count: number | undefined): string => (count === undefined ? '' : count.toLocaleString('en-US'))

/** The two tables of docs/cost.md. */
export function tables(rates: Rates): readonly string[] {
  const months = fleets.map((secrets) => monthOf(secrets, rates))
  const kinds = Object.keys(months[0] ?? {}).sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
  const each = kinds
    .filter((kind) => kind !== 'active versions after a year')
    .map((kind) => `| ${kind} | ${shown(rates.look[kind])} | ${shown(rates.day[kind])} | ${shown(rates.rotation[kind])} |`)
  const all = kinds.map((kind) => `| ${kind} | ${months.map((counts) => shown(counts[kind])).join(' | ')} |`)
  return [
    ['| | a look | a secret in a day | a rotation |', '|---|---|---|---|', ...each].join('\n'),
    [`| | ${fleets.map((count) => `${shown(count)} secrets`).join(' | ')} |`, '|---|---|---|---|', ...all].join('\n'),
  ]
}
