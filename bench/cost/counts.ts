/** How often something was called, by kind. */
export type Counts = Readonly<Record<string, number>>

/** Adds to a count that may not be there yet. */
export function add(counts: Record<string, number>, kind: string, count = 1): void {
  counts[kind] = (counts[kind] ?? 0) + count
}

/** One count without another; kinds of which nothing is left are left out. */
export function without(counts: Counts, other: Counts): Counts {
  const kinds = new Set([...Object.keys(counts), ...Object.keys(other)])
  const rest = [...kinds].map((kind) => [kind, (counts[kind] ?? 0) - (other[kind] ?? 0)] as const)
  return Object.fromEntries(rest.filter(([, count]) => count !== 0))
}
