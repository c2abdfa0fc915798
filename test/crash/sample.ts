import { createHash } from 'node:crypto'

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
