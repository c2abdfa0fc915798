const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof unitMs

/** `90d`, `12h`, `30m`, `10s` → milliseconds; undefined for anything else. At most ten years. */
export function parseDuration(text: string): number | undefined {
  const match = /^([1-9]\d{0,8})([smhd])$/.exec(text)
  if (!match) return undefined
  const ms = Number(match[1]) * unitMs[match[2] as Unit]
  return ms <= 3650 * unitMs.d ? ms : undefined
}

/** Shows a duration to people, in its two largest units. */
export function showDuration(ms: number): string {
  const units = (['d', 'h', 'm', 's'] as const).map((unit, index, all) => {
    const above = all[index - 1]
    const rest = above === undefined ? ms : ms % unitMs[above]
    return { unit, count: Math.floor(rest / unitMs[unit]) }
  })
  const parts = units.filter(({ count }) => count > 0).slice(0, 2)
  return parts.length === 0 ? '0s' : parts.map(({ unit, count }) => `${count}${unit}`).join(' ')
}
