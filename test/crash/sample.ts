import { createHash } from 'node:crypto'

/** `npm run test:whole`: every point of what `npm test` draws a part of. */
export const whole = process.env.KEYTURN_WHOLE === '1'

/** KEYTURN_FEWER: one of so many of the points that a test of the matrix would draw, where the whole matrix runs besides. */
export const fewer = Number(process.env.KEYTURN_FEWER || 1)
/** How many points a test must have tried, unless it is to try fewer. */
export const least = (points: number): number => (fewer > 1 ? 0 : points)

/** KEYTURN_FIRST_BROKEN=1: who only asks whether anything breaks does not wait for the other points. */
const isFirstEnough = process.env.KEYTURN_FIRST_BROKEN === '1'
/** Ends a matrix at its first broken promise, where that is all that was asked. */
export function stopAtFirst(traces: readonly string[]): void {
  if (isFirstEnough && traces.length > 0) throw new Error(traces[0])
}

const seed = Number.parseInt(
  createHash('sha256')
    .update(process.env.KEYTURN_SEED ?? 'after')
    .digest('hex')
    .slice(0, 8),
  16,
)

/**
 * One of so many points, by seed (KEYTURN_SEED), not by a stride that could keep step with the troubles. `salt`: settings that share most of their rules
 * draw different points.
 */
export function picked(count: number, every: number, salt = ''): boolean {
  const mixed = Math.imul(count ^ seed ^ saltOf(salt), 0x9e3779b1)
  return every === 1 || ((mixed ^ (mixed >>> 15)) >>> 0) % every === 0
}

const salts = new Map<string, number>([['', 0]])
function saltOf(text: string): number {
  const salt = salts.get(text) ?? createHash('sha256').update(text).digest().readUInt32BE(0)
  salts.set(text, salt)
  return salt
}

/** Counts the points of a matrix on a real server, where each is slow: one of `every` by seed, and all of them where the whole is wanted. */
export function sampler(every: number): { take(): boolean } {
  let count = 0
  return { take: () => picked(count++, whole ? 1 : every) }
}
