import { alphabetOf } from '../../core/alphabets.js'
import { counted } from '../../core/counted.js'
import type { RotationError } from '../../core/errors.js'
import { mayChangeSpelling } from '../../core/policy/spelling.js'
import type { Env } from '../../core/ports/env.js'
import type { Policy } from '../../core/ports/words.js'
import { clearPrefixOf, paddingOf, spellingOf, writeAs } from '../../core/spelling.js'
import { type Form, type FormName, formNames, forms } from './forms.js'
import { policyError, type Wish, wishOf, withoutForm } from './policy.js'

type Random = Env['random']
/** How the next key is made. */
export type Maker = (random: Random) => string

const wayOut = 'keyturn-spelling=change says that a new key may be written in another way, because its consumers take that.'

/**
 * How the key after the present one is made. It has the form that the policy names, else the spelling of the present key. bad_policy where the two
 * differ, or where nothing tells how the present key is written: whoever takes the present one might refuse the new one. It quotes neither.
 */
export function makerFor(policy: Policy, present: string): Maker {
  const wish = wishOf(policy)
  if (wish === undefined) return makerLike(policy, present)
  const isUpper = present === present.toUpperCase() && ['hex', 'uuid'].includes(wish.name) && wish.form.has(present, wish.prefix)
  const make: Maker = (random) => makeFresh(wish, random, isUpper)
  if (!mayChangeSpelling(policy)) assertSame(wish, present)
  return make
}

/** What another reading of the key would take for a prefix is not drawn. */
function makeFresh({ form, size, prefix, name }: Wish, random: Random, isUpper: boolean): string {
  let text = form.make(random, size, prefix)
  while (name === 'token' && clearPrefixOf(text) !== '') text = form.make(random, size, prefix)
  return isUpper ? text.toUpperCase() : text
}

function makerLike(policy: Policy, present: string): Maker {
  const lone = withoutForm(policy)
  if (lone !== undefined)
    throw policyError(lone, `keyturn-${lone} is set without keyturn-form`, `Name the form, or remove keyturn-${lone}. ${wayOut}`)
  const own = formNames.find((name) => ['api-key', 'passphrase'].includes(name) && isExactly(name, present))
  if (own === 'api-key') return (random) => forms['api-key'].make(random, 0, present.slice(0, -37))
  if (own === 'passphrase') return (random) => forms.passphrase.make(random, present.split('-').length)
  const spelling = spellingOf(present)
  if (typeof spelling === 'string') throw unclearError(spelling)
  return (random) => writeAs(spelling, random)
}

const unclearError = (why: string): RotationError =>
  policyError(
    'form',
    `The present key does not show how a new one is to be written: ${why}`,
    `Name it, with keyturn-spelling=change if the present key looks different: keyturn-form=${formNames.join(', ')}.`,
  )

/** Bytes for a sample that is compared with the present key and never used: the same each time. */
function fixedBytes(): Random {
  let state = 1
  const next = (): number => {
    state = (state * 48_271) % 2_147_483_647
    return (state >> 8) & 0xff
  }
  return (count) => Uint8Array.from({ length: count }, next)
}

/** What the present key has in another way than a new one would have it. */
function differences({ form, size, prefix, name }: Pick<Wish, 'form' | 'size' | 'prefix' | 'name'>, present: string): readonly string[] {
  const sample = form.make(fixedBytes(), size, prefix)
  if (name === 'passphrase') return wordDifferences(form, sample, present)
  const front = form.prefix?.(prefix) ?? ''
  const isPrefixed =
    form.prefix === undefined ? !['uuid', 'password'].includes(name) && clearPrefixOf(present) !== '' : !present.startsWith(front)
  const drawn = present.slice(isPrefixed ? clearPrefixOf(present).length : front.length).replace(/=*$/, '')
  const found = [
    isPrefixed ? 'prefix' : undefined,
    form.characters.test(drawn) && !isNarrower(name, drawn) ? undefined : 'alphabet',
    signsOf(present) === signsOf(sample) ? undefined : 'padding',
    present.length === sample.length ? undefined : `length (${counted(present.length, 'character')}, not ${sample.length})`,
  ].filter((one) => one !== undefined)
  return found.length > 0 || form.has(present, prefix) ? found : ['layout']
}

/** Whether a text has so few different characters that chance does not explain it: its consumer may take no others. */
function isNarrower(name: FormName, drawn: string): boolean {
  if (name === 'hex' || name === 'uuid') return false
  const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index))
  const wide = printable.filter((one) => forms[name].characters.test(one)).length
  const narrow = alphabetOf(drawn)?.alphabet.length ?? wide
  return (narrow / wide) ** drawn.length < 1e-5
}

const signsOf = (text: string): number => (paddingOf(text) === 0 ? (/=*$/.exec(text)?.[0].length ?? 0) : paddingOf(text))

function wordDifferences(form: Form, sample: string, present: string): readonly string[] {
  if (!form.has(present, '')) return ['layout']
  const [are, wanted] = [present.split('-').length, sample.split('-').length]
  return are === wanted ? [] : [`length (${counted(are, 'word')}, not ${wanted})`]
}

function assertSame(wish: Wish, present: string): void {
  const found = differences(wish, present)
  if (found.length === 0) return
  const why = `A new key of keyturn-form=${wish.name} differs from the present one in ${found.join(', ')}`
  throw policyError(keyOf(wish, present, found), `${why}: its consumers may refuse it`, `${kept(wish, present)} ${wayOut}`)
}

/** The policy key that is to be corrected: the size or the prefix, where that alone is wrong with the form. */
function keyOf({ name, form, prefix }: Wish, present: string, found: readonly string[]): 'form' | 'size' | 'prefix' {
  if (form.size !== undefined && isExactly(name, present, sizeIn(name, present), prefix)) return 'size'
  return form.prefix !== undefined && found.includes('prefix') ? 'prefix' : 'form'
}

const shownAs = (name: FormName, size: number): string => {
  const form: Form = forms[name]
  return form.size === undefined ? `keyturn-form=${name}` : `keyturn-form=${name} keyturn-size=${size}`
}

/** The form and size that keep the present key's spelling, as far as a form has it. */
function kept({ prefix, name: own }: Wish, present: string): string {
  const found = [own, ...formNames].flatMap((name) => {
    const size = sizeIn(name, present)
    return size !== undefined && isExactly(name, present, size, prefix) ? [shownAs(name, size)] : []
  })
  const fits = found[0] === undefined ? '' : `${found[0]} keeps it.`
  return `${fits} Without keyturn-form, keyturn-size and keyturn-prefix a new key is written as the present one.`.trim()
}

function isExactly(name: FormName, present: string, size = sizeIn(name, present), prefix = present.slice(0, -37)): boolean {
  const form: Form = forms[name]
  return size !== undefined && differences({ name, form, size, prefix }, present).length === 0
}

/** The size of a form that has the present key's length; undefined where no size has it. */
function sizeIn(name: FormName, present: string): number | undefined {
  const { size }: Form = forms[name]
  if (size === undefined) return 0
  const count = name === 'passphrase' ? present.split('-').length : bytesIn(name, present)
  return count >= size.least && count <= size.most ? count : undefined
}

function bytesIn(name: FormName, present: string): number {
  const body = present.replace(/^whsec_/, '')
  return Buffer.from(body, name === 'hex' ? 'hex' : 'base64').length
}
