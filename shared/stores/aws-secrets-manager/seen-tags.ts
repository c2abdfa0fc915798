import { optional } from '../../core/optional.js'
import type { Seen } from '../../core/ports/store.js'
import { consumerPhases, type VersionId } from '../../core/ports/words.js'
import { codeNamed, escapeWord, textMax, time, timeOf, unescapeWord } from './tag-words.js'

const seenText = (consumer: string, { version, phase, at, again, code, received }: Seen): string =>
  [escapeWord(consumer), version, phase, time(at), again === undefined ? '-' : time(again), code ?? '-', received ? 'r' : '-'].join('/')
const evidenceText = ({ evidence }: Seen): string => (evidence === undefined ? '' : `/${escapeWord(evidence)}`)

/** Reads one word of such a tag; undefined for one that somebody edited. */
export function seenOf(word: string): [string, Seen] | undefined {
  const [consumer, version, phase, at, again, code, received, evidence] = word.split('/')
  const known = consumerPhases.find((one) => one === phase)
  const atMs = timeOf(at)
  if (!consumer || !version || known === undefined || atMs === undefined) return undefined
  const seen = {
    version: version as VersionId,
    phase: known,
    at: atMs,
    ...optional('again', timeOf(again)),
    ...optional('code', codeNamed(code)),
    ...optional('evidence', evidence === undefined ? undefined : unescapeWord(evidence)),
  }
  return [unescapeWord(consumer), { ...seen, ...(received === 'r' ? { received: true as const } : {}) }]
}

/**
 * The texts of at most `tagsMax` tags. What consumers reported comes first, because it is the evidence. The rest is a cache, and is omitted where it does not fit. The reasons come last:
 * each has the room that the notes leave.
 */
export function seenTexts(seen: Readonly<Record<string, Seen>>, tagsMax: number): readonly string[] {
  const entries = Object.entries(seen).sort(([, a], [, b]) => Number(b.received ?? false) - Number(a.received ?? false) || b.at - a.at)
  const tags: { readonly word: string; readonly reason: string }[][] = []
  const lengthOf = (words: readonly { readonly word: string }[]): number => words.reduce((sum, { word }) => sum + word.length + 1, -1)
  for (const [consumer, one] of entries) {
    const entry = { word: seenText(consumer, one), reason: evidenceText(one) }
    const tag = tags.find((words) => lengthOf([...words, entry]) <= textMax)
    if (tag !== undefined) tag.push(entry)
    else if (tags.length < tagsMax && entry.word.length <= textMax) tags.push([entry])
  }
  return tags.map((words) => {
    let left = textMax - lengthOf(words)
    const texts = words.map(({ word, reason }) => {
      if (reason.length > left) return word
      left -= reason.length
      return word + reason
    })
    return texts.join(' ')
  })
}
