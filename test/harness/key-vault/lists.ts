import { createHash } from 'node:crypto'
import { badParameter, maxima } from './model.js'

/** Where an item stands in a list: by the hash of its id, for the service promises no order, and neither time nor name nor id may look like one. */
const placeOf = (id: string): string => createHash('sha256').update(id).digest('hex')

export interface Page<T> {
  readonly value: readonly T[]
  readonly nextLink: string | null
}
/**
 * One page. `$skiptoken` says where the next one begins, so that what is created meanwhile moves nothing. The link names the port, as the service's
 * does. A page may have fewer items than were asked for.
 */
export function pageOf<T>(items: readonly (readonly [id: string, item: T])[], url: URL, sizeMax: number): Page<T> {
  const wanted = url.searchParams.get('maxresults')
  const asked = wanted === null ? maxima.pageSize : Number(wanted)
  if (!Number.isInteger(asked) || asked < 1 || asked > maxima.pageSize)
    throw badParameter(`maxresults must be between 1 and ${maxima.pageSize}.`)
  const after = Buffer.from(url.searchParams.get('$skiptoken') ?? '', 'base64url').toString()
  const sorted = items
    .map(([id, item]) => ({ place: placeOf(id), item }))
    .filter(({ place }) => place > after)
    .sort((a, b) => (a.place < b.place ? -1 : 1))
  const page = sorted.slice(0, Math.min(asked, sizeMax))
  const last = sorted.length > page.length ? page.at(-1) : undefined
  return { value: page.map(({ item }) => item), nextLink: last === undefined ? null : linkOf(url, last.place) }
}
function linkOf(url: URL, place: string): string {
  const kept = ['api-version', 'maxresults'].flatMap((key) => {
    const value = url.searchParams.get(key)
    return value === null ? [] : `${key}=${value}`
  })
  const token = `$skiptoken=${Buffer.from(place).toString('base64url')}`
  return `https://${url.hostname}:${url.port || 443}${url.pathname}?${[...kept, token].join('&')}`
}
