/**
 * The time that a Retry-After header asks to wait, in milliseconds: seconds or a date (RFC 9110, 10.2.3). undefined for none, and for what is
 * neither.
 */
export function retryAfterMs(given: string | undefined, now: number): number | undefined {
  if (given === undefined) return undefined
  if (/^\d{1,6}$/.test(given)) return Number(given) * 1000
  const date = Date.parse(given)
  return Number.isNaN(date) ? undefined : date - now
}
