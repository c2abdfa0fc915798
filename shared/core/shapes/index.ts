import { codeOf, RotationError } from '../errors.js'
import { everyForm } from '../forms.js'
import { SecretText } from '../secret-text.js'
import { type JsonField, jsonFields, looksLikeJson, replaceFields } from './json.js'
import { type AnyLogin, carriesInQuery, mayCarry } from './readings.js'
import { encoded, failUnclear, looksLikeUrl, parseUrl, splitLogin, type UrlLogin, type UrlParts, withLogin } from './url.js'

/** A value is a JSON object, a connection URL or a bare string. Its shape decides how a new credential is written into it. */
export type Shape =
  | { readonly kind: 'json'; readonly fields: ReadonlyMap<string, unknown> }
  | { readonly kind: 'url'; readonly url: UrlParts }
  | { readonly kind: 'bare'; readonly text: string }

/** What a rotation changes in a value. */
export interface Login {
  readonly user: string
  readonly password: string
}

/** bad_value for malformed JSON or URLs and for an empty or ill-formed (lone surrogate) text. */
export function readShape(value: SecretText): Shape {
  const text = value.reveal()
  if (text === '')
    throw new RotationError('bad_value', 'The value is empty.', { field: 'value', next: 'Put a value with the credential in it.' })
  if (!text.isWellFormed())
    throw new RotationError('bad_value', 'The value is not well-formed Unicode text.', { field: 'value', next: 'Put it again as UTF-8.' })
  if (looksLikeJson(text)) return { kind: 'json', fields: new Map(jsonFields(text).map(({ name, value }) => [name, value])) }
  if (looksLikeUrl(text.trim())) return { kind: 'url', url: parseUrl(text.trim(), 'value') }
  return { kind: 'bare', text }
}

/** Names under which a field of the same secret may repeat the login. */
export const userName = /(user|username|login)$/i
export const passwordName = /(pass|password|passwd|pwd)$/i

/**
 * Returns the value with another login. In JSON two kinds of field are rewritten: those that hold the outgoing user or password under a name
 * that says so, and connection URLs of that login. bad_value if a field holds the outgoing password in a form that cannot be rewritten: a
 * consumer of that field would be locked out.
 */
export function writeLogin(value: SecretText, from: Login, to: Login): SecretText {
  const shape = readShape(value)
  const text = value.reveal()
  for (const login of [from, to]) assertWellFormed(login)
  if (shape.kind === 'bare') return new SecretText(to.password)
  if (shape.kind === 'url') return new SecretText(text.replace(text.trim(), () => withLogin(shape.url, to.user, to.password)))
  const changes = new Map<string, string>()
  for (const field of jsonFields(text)) {
    const next = nextText(field, from, to)
    if (next !== undefined) changes.set(field.name, next)
  }
  return new SecretText(replaceFields(text, changes))
}

/**
 * Replaces an old key in the other fields of its value: connection URLs and passwords that hold the old key get the new one, whatever their user is.
 * `own` says which fields may keep the old key. bad_value if another field holds it in a form that cannot be rewritten.
 */
export function writeKey(text: string, own: (name: string) => boolean, from: string, to: string): string {
  if (from === to) return text
  const changes = new Map<string, string>()
  for (const field of jsonFields(text)) {
    const next = own(field.name) ? undefined : nextText(field, { password: from }, { password: to })
    if (next !== undefined) changes.set(field.name, next)
  }
  return replaceFields(text, changes)
}

function assertWellFormed({ user, password }: Login): void {
  if (user.isWellFormed() && password.isWellFormed()) return
  throw new RotationError('bad_value', 'The user or the password is not well-formed Unicode text.', {
    field: password.isWellFormed() ? 'username' : 'password',
    next: 'Put the value again with a login that can be written as UTF-8.',
  })
}

function nextText(field: JsonField, from: AnyLogin, to: AnyLogin): string | undefined {
  const { name, value } = field
  if (typeof value === 'string') {
    if (passwordName.test(name) && value === from.password) return to.password
    if (from.user !== undefined && userName.test(name) && value === from.user) return to.user
    const url = loginOf(value, name)
    const isOurs = url !== undefined && (from.user ?? url.user) === url.user && url.password === from.password
    if (looksLikeUrl(value) && carriesInQuery(value, from)) failInQuery(name)
    if (isOurs) return withLogin(url, to.user ?? url.user ?? '', to.password)
    if (mayCarry(value, from)) failUnclear(name)
  }
  // A short password may well be part of a host or a database name: then only fields count whose name promises a credential.
  const { length } = from.password
  const telling = length >= 16 || (length >= 6 && /url|uri|dsn|conn|pass|pwd|secret|auth/i.test(name))
  const forms = telling ? everyForm(from.password) : []
  if (textsIn(value).some((text) => forms.some((form) => text.includes(form)))) {
    throw new RotationError('bad_value', `The field ${name} holds the password in a form that cannot be rewritten.`, {
      field: name,
      next: 'Write it as a connection URL, keep the password only in the field "password", or move this field to a secret of its own.',
    })
  }
  return undefined
}

function failInQuery(field: string): never {
  throw new RotationError('bad_value', `The field ${field} holds the password in the query of a URL, where it cannot be rewritten.`, {
    field,
    next: `Write it as scheme://user:password@host, ${encoded}; or keep the password only in the field "password".`,
  })
}

/** The login of a field that is a connection URL. undefined if it cannot be read: a URL of something else may have any form. */
function loginOf(text: string, field: string): UrlLogin | undefined {
  if (!looksLikeUrl(text)) return undefined
  try {
    return splitLogin(text, field)
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

/** Every name and every text in a JSON value, without recursion: the value may be nested deeply. */
export function textsIn(value: unknown): readonly string[] {
  const texts: string[] = []
  let open = [value]
  while (open.length > 0) {
    const isObject = (each: unknown): each is object => typeof each === 'object' && each !== null
    texts.push(...open.filter((each) => !isObject(each)).map(String))
    open = open.filter(isObject).flatMap((each) => [...Object.keys(each), ...Object.values(each)])
  }
  return texts
}
