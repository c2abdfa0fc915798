import { isIPv6 } from 'node:net'
import type { SecretText } from '../../core/secret-text.js'
import { isGiven } from '../../core/shapes/given.js'
import { passwordName, readShape, userName } from '../../core/shapes/index.js'
import { readPort } from '../../core/shapes/port.js'
import { mayCarry } from '../../core/shapes/readings.js'
import { encoded, failUnclear, splitLogin } from '../../core/shapes/url.js'
import type { Dialect } from './dialect.js'
import { failValue } from './errors.js'

type Fields = ReadonlyMap<string, unknown>

/** Fields of which a client reads either one. */
const twins = [
  ['username', 'user'],
  ['dbname', 'database'],
] as const

/**
 * bad_value for a value of which two clients could read different logins or places. What it refuses depends on the value alone, so that whoever
 * stores a value hears the same as whoever logs in with it.
 */
export function assertClear(value: SecretText, dialect: Dialect): void {
  const shape = readShape(value)
  if (shape.kind === 'json') assertClearFields(shape.fields, dialect)
  else if (shape.kind === 'bare') assertClearBare(shape.text, dialect)
  else if (schemeOf(dialect).test(shape.url.head)) {
    assertClearUrl(value.reveal().trim(), 'value', dialect)
    const inBrackets = /^@?\[/.test(shape.url.tail)
    if (shape.url.host !== '') assertHost(shape.url.host, inBrackets)
  }
}

function assertClearBare(text: string, dialect: Dialect): void {
  if (schemeOf(dialect).test(text.trim())) failSpace('value')
  assertEdges('value', text)
}

const schemeOf = ({ schemes }: Dialect): RegExp => new RegExp(`^(jdbc:)?(${schemes.join('|')})://`, 'i')

function assertClearFields(fields: Fields, dialect: Dialect): void {
  for (const [one, other] of twins) {
    const [first, second] = [fields.get(one), fields.get(other)]
    if (isGiven(first) && isGiven(second) && first !== second)
      failValue(other, `says something else than the field ${one}`, 'Keep one of them, or write the same in both.')
  }
  for (const name of [...twins.flat(), 'host', 'password']) {
    const text = fields.get(name)
    if (typeof text === 'string') assertEdges(name, text)
  }
  const host = fields.get('host')
  if (typeof host === 'string' && host !== '') assertHost(host)
  readPort(fields.get('port'))
  const login = { user: textOf(fields, 'username') ?? textOf(fields, 'user'), password: textOf(fields, 'password') }
  for (const [name, text] of fields) {
    if (typeof text !== 'string') continue
    assertSameText(name, text, login)
    if (!schemeOf(dialect).test(text.trim()) || !mayBeOurs(text.trim(), login)) continue
    assertClearUrl(text, name, dialect)
    assertReadsAs(name, text, login)
  }
}

/** What is the login for a client that decodes nothing, and another one for the rest, is neither ours nor somebody else's. */
function assertReadsAs(name: string, text: string, known: Known): void {
  const { user, password } = splitLogin(text, name)
  if (known.password !== undefined && password !== known.password) failUnclear(name)
  if (known.user !== undefined && user !== known.user) failUnclear(name)
}

const textOf = (fields: Fields, name: string): string | undefined => {
  const text = fields.get(name)
  return typeof text === 'string' && isGiven(text) ? text : undefined
}

interface Known {
  readonly user: string | undefined
  readonly password: string | undefined
}

/** A field that repeats the login, but for white space at its end, would be left behind by a rotation. */
function assertSameText(name: string, text: string, { user, password }: Known): void {
  const known = passwordName.test(name) ? password : userName.test(name) ? user : undefined
  if (known !== undefined && text !== known && text.trim() === known) assertEdges(name, text)
}

/** Without a password beside it a URL is the login itself. What has another login is somebody else's, in whatever form. */
function mayBeOurs(text: string, { user, password }: Known): boolean {
  if (password === undefined) return true
  const squeezed = text.replace(/\s/g, '')
  const login = { password, ...(user === undefined ? {} : { user }) }
  return mayCarry(squeezed, login) || mayCarry(squeezed, { ...login, password: password.replace(/\s/g, '') })
}

/** A line break comes from echo or from an editor. A blank may be meant: every client takes it as it is. */
function assertEdges(field: string, text: string): void {
  const edge = /^[\t-\r]/.test(text) ? 'begins' : /[\t-\r]$/.test(text) ? 'ends' : undefined
  if (edge === undefined) return
  const next = 'Put the value again without it; printf and a pipe write no line break of their own.'
  failValue(field, `${edge} with a line break or a tab, which clients take for a part of it`, next)
}

const failSpace = (field: string): never =>
  failValue(
    field,
    'is a connection URL with white space in it, which clients read in different ways',
    `Write a blank as %20. Other special characters are ${encoded}.`,
  )

/** One connection URL that carries the login: its userinfo, its query and what stands for the database. */
function assertClearUrl(text: string, field: string, dialect: Dialect): void {
  if (/\s/.test(text)) failSpace(field)
  const { user, password, tail } = splitLogin(text, field)
  if (user === undefined && tail.includes('@')) failUnclear(field)
  const [place = '', ...rest] = tail.split('?')
  if (place.includes('#')) {
    const why = 'has a # before its query, which some clients read as a part of the host or of the database'
    failValue(field, why, `Percent-encode it as %23 where it is meant, or remove it. Other special characters are ${encoded}.`)
  }
  assertLineEnds(field, { user, password })
  assertClearQuery(field, new URLSearchParams(rest.join('?').split('#')[0]), databaseOf(place), dialect)
}

function assertLineEnds(field: string, login: { readonly user: string | undefined; readonly password: string | undefined }): void {
  for (const [what, text] of Object.entries(login)) {
    if (text === undefined || !/^[\t-\r]|[\t-\r]$/.test(text)) continue
    const next = 'Put it again without %0A, %0D or %09 at that place.'
    failValue(field, `has a ${what} that begins or ends with a line break or a tab`, next)
  }
}

function databaseOf(place: string): string {
  const path = place.slice(place.includes('/') ? place.indexOf('/') + 1 : place.length)
  try {
    return decodeURIComponent(path)
  } catch (cause) {
    if (cause instanceof URIError) return path
    throw cause
  }
}

/** A query may not say again where the login is for, nor anything twice: of two, one client takes the first and another the last. */
function assertClearQuery(field: string, query: URLSearchParams, database: string, { elsewhere, database: usual }: Dialect): void {
  const seen = new Set<string>()
  for (const [name, value] of query) {
    const shown = /^[\w.-]{1,40}$/.test(name) ? `parameter ${name}` : 'parameter'
    if (seen.has(name)) failValue(field, `has the query ${shown} twice`, 'Keep one of them.')
    seen.add(name)
    const what = name.toLowerCase()
    const isOther = elsewhere.database.includes(what) && value !== (database || usual)
    if (!isOther && !elsewhere.login.includes(what)) continue
    const next = `Remove it. Host, port, user, password and database belong in scheme://user:password@host:port/database, ${encoded}.`
    failValue(field, `has the query ${shown}, by which some clients log in elsewhere or as somebody else`, next)
  }
}

/** bad_value unless it is one host name or address as a resolver takes it. */
export function assertHost(host: string, inBrackets = false): void {
  if (/^\[.*\]$/.test(host))
    failValue('host', 'is in brackets, which belong in a URL only', 'Write the address without brackets, and the port in the field port.')
  if (isIPv6(host) || (!inBrackets && /^[\p{L}\p{N}\p{M}._-]+$/u.test(host))) return
  const next =
    'Name the writable endpoint, without port, user, white space or percent signs; lists of hosts and socket folders are not supported.'
  failValue('host', 'must be one host name or address', next)
}
