import { RotationError } from '../../core/errors.js'
import { optional } from '../../core/optional.js'
import type { Code } from '../../core/ports/errors.js'
import type { Journal, NotePatch, Retiring, SecretState, Seen } from '../../core/ports/store.js'
import type { CredentialId, Policy, VersionId } from '../../core/ports/words.js'
import { seenOf, seenTexts } from './seen-tags.js'
import { codeNamed, escapeWord, none, textMax, time, timeOf, unescapeWord } from './tag-words.js'

/**
 * The journal in at most six tags of 256 legal characters: what was announced, what is to be retired, who was seen. Each tag has one writer (the sweep
 * or a person), and nobody can write one conditionally. All of them may be lost: then announcements are repeated, and nothing is retired on what was
 * known.
 */
export interface Notes {
  /** `returned`: it had been current before, and somebody moved AWSCURRENT back to it. */
  readonly announced?: {
    readonly version: VersionId
    readonly publishedAt: number
    readonly checkedAt?: number
    /** What the sweep found wrong with this version then. */
    readonly checkedCode?: Code
    readonly expiresAt?: number
    readonly returned?: boolean
  }
  /** For a value that was staged long before it is published: the service says only when it was staged. */
  readonly published?: Published
  readonly retiring: readonly Retiring[]
  readonly seen: Readonly<Record<string, Seen>>
}

/** Which version was about to be published, and when, in epoch milliseconds. */
export interface Published {
  readonly version: VersionId
  readonly at: number
}

const prefix = 'keyturn-'
const announcedKey = `${prefix}announced`
const retireKeys = [1, 2, 3].map((n) => `${prefix}retire-${n}`)
const seenKeys = [1, 2].map((n) => `${prefix}seen-${n}`)
export const journalKeys: readonly string[] = [announcedKey, ...retireKeys, ...seenKeys]
export const policyPrefix = prefix

/** Picks the tags that are policy: `keyturn-…`, without those of the journal. */
export const policyOf = (tags: Policy): Policy =>
  Object.fromEntries(Object.entries(tags).filter(([key]) => key.startsWith(prefix) && !journalKeys.includes(key)))

/** Reads the notes. null: none of our tags is there, because they were never written or somebody removed them. */
export function notesOf(tags: Policy): Notes | null {
  const texts = (keys: readonly string[]) => keys.flatMap((key) => tags[key] ?? [])
  if (texts(journalKeys).length === 0) return null
  return {
    ...announcedOf(tags[announcedKey]),
    retiring: texts(retireKeys).flatMap((text) => retiringOf(text) ?? []),
    seen: Object.fromEntries(
      texts(seenKeys).flatMap((text) =>
        text.split(' ').flatMap((word) => {
          const entry = seenOf(word)
          return entry ? [entry] : []
        }),
      ),
    ),
  }
}

/** The notes with a patch. What was about to be published is forgotten once it is announced. */
export function mergeNotes(notes: Notes | null, { publishedAt, current }: SecretState, patch: NotePatch): Notes {
  const isNew = patch.announced !== undefined
  const version = patch.announced ?? notes?.announced?.version
  // The sequence stands for the time of what is announced: it is that time, or a moment later where a clock was ahead before.
  const about = isNew ? { publishedAt: patch.sequence?.value ?? publishedAt, ...optional('returned', current?.returned) } : notes?.announced
  return {
    ...(version === undefined || about === undefined ? {} : { announced: { ...about, version, ...checkMerged(notes, patch, version) } }),
    ...(isNew ? {} : optional('published', notes?.published)),
    retiring: patch.retiring ?? notes?.retiring ?? [],
    seen: patch.seen ?? notes?.seen ?? {},
  }
}

/** The time is kept when another version is announced; what was found of the old version is not. */
function checkMerged(notes: Notes | null, patch: NotePatch, version: VersionId) {
  const { announced } = notes ?? {}
  const known = announced?.version === version ? { code: announced.checkedCode, expiresAt: announced.expiresAt } : {}
  const { code, expiresAt } = patch.checked?.version === version ? patch.checked : known
  return {
    ...optional('checkedAt', patch.checkedAt ?? announced?.checkedAt),
    ...optional('checkedCode', code),
    ...optional('expiresAt', expiresAt),
  }
}

/** What changes: tags to write, and keys to remove. */
export function writeNotes(notes: Notes, before: Policy): { readonly set: Policy; readonly gone: readonly string[] } {
  const wanted = new Map<string, string>()
  const { retiring } = notes
  const announced = announcedText(notes)
  if (announced !== '') wanted.set(announcedKey, fits(announced, 'what was announced'))
  if (retiring.length > retireKeys.length) throw tooManyError(`${retiring.length} credentials are to be retired`)
  for (const [index, entry] of retiring.entries())
    wanted.set(retireKeys[index] ?? '', fits(retiringText(entry), `the retiring entry of ${entry.id}`))
  for (const [index, text] of seenTexts(notes.seen, seenKeys.length).entries()) wanted.set(seenKeys[index] ?? '', text)
  const set = Object.fromEntries([...wanted].filter(([key, text]) => before[key] !== text))
  return { set, gone: journalKeys.filter((key) => before[key] !== undefined && !wanted.has(key)) }
}

const tooManyError = (what: string): RotationError =>
  new RotationError('too_large', `${what}; the tags of a secret cannot hold that.`, {
    field: 'keyturn-retire',
    next: 'Retire the outgoing credentials first: keyturn status shows which consumers they wait for.',
  })
function fits(text: string, what: string): string {
  if (text.length > textMax) throw tooManyError(what)
  return text
}

/** When it was checked, after a colon the code that was found, and after another one when the target ends the login. */
const checkText = ({ checkedAt, checkedCode, expiresAt }: Partial<NonNullable<Notes['announced']>> = {}): string => {
  const words = [checkedAt === undefined ? '' : time(checkedAt), checkedCode ?? '', expiresAt === undefined ? '' : time(expiresAt)]
  return words.join(':').replace(/:+$/, '') || none
}
/**
 * Version, when it was published, when it was checked and what was found wrong, `r` where it had returned; then what is about to be published, and
 * when. A missing word is `-`, and is omitted at the end.
 */
function announcedText({ announced, published }: Notes): string {
  const words = [
    ...(announced ? [announced.version, time(announced.publishedAt)] : [none, none]),
    checkText(announced),
    announced?.returned ? 'r' : none,
    ...(published ? [published.version, time(published.at)] : []),
  ]
  while (words.at(-1) === none) words.pop()
  return words.join(' ')
}

/** A text that somebody edited counts as missing. */
function announcedOf(text: string | undefined): Pick<Notes, 'announced' | 'published'> {
  const [version, publishedText, checked, returned, next, nextText] = (text ?? '').split(' ')
  const [publishedAt, at] = [timeOf(publishedText), timeOf(nextText)]
  const announced = {
    version: version as VersionId,
    ...optional('checkedAt', timeOf(checked?.split(':')[0])),
    ...optional('checkedCode', codeNamed(checked?.split(':')[1])),
    ...optional('expiresAt', timeOf(checked?.split(':')[2])),
    ...(returned === 'r' ? { returned: true } : {}),
  }
  return {
    ...(!version || publishedAt === undefined ? {} : { announced: { ...announced, publishedAt } }),
    ...(!next || at === undefined ? {} : { published: { version: next as VersionId, at } }),
  }
}

const states = ['waiting', 'undeclared', 'armed', 'disabled'] as const
const retiringText = ({ id, version, since, notBefore, state, seenInUse, unusedSince, holder, leaseUntil }: Retiring): string =>
  [
    escapeWord(id),
    version,
    time(since),
    time(notBefore),
    state,
    seenInUse === undefined ? '-' : time(seenInUse),
    unusedSince === undefined ? '-' : time(unusedSince),
    holder === undefined ? '-' : escapeWord(holder),
    leaseUntil === undefined ? '-' : time(leaseUntil),
  ].join(' ')

function retiringOf(text: string): Retiring | undefined {
  const [id, version, since, notBefore, state, seen, unused, holder, lease] = text.split(' ')
  const phase = states.find((one) => one === state)
  const [sinceMs, notBeforeMs] = [timeOf(since), timeOf(notBefore)]
  if (!id || !version || phase === undefined || sinceMs === undefined || notBeforeMs === undefined) return undefined
  return {
    id: unescapeWord(id) as CredentialId,
    version: version as VersionId,
    since: sinceMs,
    notBefore: notBeforeMs,
    state: phase,
    ...optional('seenInUse', timeOf(seen)),
    ...optional('unusedSince', timeOf(unused)),
    ...optional('holder', holder === undefined || holder === '-' ? undefined : unescapeWord(holder)),
    ...optional('leaseUntil', timeOf(lease)),
  }
}

/** Returns null where there is no note, no open rotation and no durable code. */
export const journalOf = (notes: Notes | null, rest: Pick<Journal, 'rotation' | 'code'>): Journal | null => {
  if (notes === null && rest.rotation === undefined && rest.code === undefined) return null
  return {
    ...optional('rotation', rest.rotation),
    ...optional('code', rest.code),
    ...optional('announced', notes?.announced?.version),
    ...optional('sequence', notes?.announced && { version: notes.announced.version, value: notes.announced.publishedAt }),
    retiring: notes?.retiring ?? [],
    ...(notes !== null && Object.keys(notes.seen).length > 0 ? { seen: notes.seen } : {}),
    ...checkNoted(notes?.announced),
  }
}

function checkNoted(announced: Notes['announced']): Pick<Journal, 'checkedAt' | 'checked'> {
  if (announced === undefined) return {}
  const { version, checkedAt, checkedCode: code, expiresAt } = announced
  const found = { version, ...optional('code', code), ...optional('expiresAt', expiresAt) }
  return { ...optional('checkedAt', checkedAt), ...(code === undefined && expiresAt === undefined ? {} : { checked: found }) }
}
