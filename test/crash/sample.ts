import { createHash } from 'node:crypto'

/** `npm run test:whole`: every point of what `npm test` draws a part of. */
export const whole = process.env.KEYTURN_WHOLE === '1'

const seed = Number.parseInt(
  createHash('sha256')
    .update(process.env.KEYTURN_SEED ?? 'after')
    .digest('hex')
    .slice(0, 8),
  16,
)

/** One of so many points, by seed (KEYTURN_SEED), not by a stride that could keep step with the troubles. */
export function picked(count: number, every: number): boolean {
  const mixed = Math.imul(count ^ seed, 0x9e3779b1)
  return every === 1 || ((mixed ^ (mixed >>> 15)) >>> 0) % every === 0
}

/** Counts the points of a matrix on a real server, where each is slow: one of `every` by seed, and all of them where the whole is wanted. */
export function sampler(every: number): { take(): boolean } {
  let count = 0
  return { take: () => picked(count++, whole ? 1 : every) }
}
