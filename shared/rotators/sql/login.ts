import { codeOf, RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { isGiven } from '../../core/shapes/given.js'
import { readShape, type Shape, writeLogin } from '../../core/shapes/index.js'
import { readPort } from '../../core/shapes/port.js'
import { looksLikeUrl, parseUrl, type UrlParts } from '../../core/shapes/url.js'
import { assertClear, assertHost } from './clear.js'
import type { Dialect } from './dialect.js'
import { systemOf } from './engines.js'
import { failValue } from './errors.js'
import { assertName } from './names.js'
import { atKey } from './policy.js'
import { readTls, type Tls } from './tls.js'

/** One login, in fields and never as a connection string, so that a driver reads nothing from a URL or from its own variables. */
export interface DatabaseLogin {
  /** Empty where the value names none, and nobody logs in by it. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: SecretText
  readonly database: string
  readonly tls: Tls
  readonly shape: Shape['kind']
}

/** Reads a login in fields of a JSON value, as a connection URL, or as a bare password. bad_value with the field, bad_policy with keyturn-at for a bare one. */
export function parseLogin(value: SecretText, policy: Policy, dialect: Dialect): DatabaseLogin {
  assertClear(value, dialect)
  const shape = readShape(value)
  if (shape.kind === 'bare') return bare(shape.text, policy, dialect)
  if (shape.kind === 'url') return fromUrl(shape.url, dialect)
  const { fields } = shape
  const url = ownUrl(fields, dialect)
  if (url === undefined) assertNoOtherUrl(fields, dialect)
  const text = (names: readonly string[], instead?: string): string => textField(fields, names, instead)
  const tlsFields = new Map([...Object.entries(url?.query ?? {}), ...[...fields].filter(([, value]) => isGiven(value))])
  const login: DatabaseLogin = {
    host: dialect.hostless && !isGiven(fields.get('host')) && !url?.host ? '' : text(['host'], url?.host),
    port: readPort(fields.get('port')) ?? url?.port ?? dialect.port,
    user: text(['username', 'user'], url?.user),
    password: new SecretText(text(['password'], url?.password)),
    database: text(['dbname', 'database'], url?.path || dialect.database),
    tls: readTls(tlsFields, dialect.tls),
    shape: shape.kind,
  }
  return checked(login, dialect)
}

/** The same value with another login in it; every other byte stays. bad_value where the old login has a form that cannot be rewritten. */
export function renderLogin(shape: SecretText, { user, password }: DatabaseLogin, dialect: Dialect): SecretText {
  const text = shape.reveal()
  // A bare value holds no user, and parsing it would need the policy.
  const bareText = text === '' || readShape(shape).kind === 'bare'
  const from = bareText ? { user, password: text } : loginIn(parseLogin(shape, {}, dialect))
  return writeLogin(shape, from, loginIn({ user, password }))
}
const loginIn = ({ user, password }: Pick<DatabaseLogin, 'user' | 'password'>) => ({ user, password: password.reveal() })

/**
 * The connection URL of this very login: one with the same user and password, or the only one where no field holds a login. Its host, port, database
 * and TLS settings complete the other fields. A URL of another login, or to another host, is not used.
 */
function ownUrl(fields: ReadonlyMap<string, unknown>, dialect: Dialect): UrlParts | undefined {
  const urls = urlFields(fields, dialect).flatMap(([name, text]) => readable(text, name) ?? [])
  const [user, password, host] = [given(fields, 'username', 'user'), given(fields, 'password'), given(fields, 'host')]
  if (user === undefined && password === undefined && urls.length > 1) {
    const why = 'is missing, and several fields hold a connection URL'
    failValue('username', why, 'Add username and password, or keep one connection URL.')
  }
  return urls.find((url) => {
    if (user !== undefined && url.user !== user) return false
    if (password !== undefined && url.password !== password) return false
    return host === undefined || String(host).toLowerCase() === url.host.toLowerCase()
  })
}

/** What the first of the fields says that says anything. */
const given = (fields: ReadonlyMap<string, unknown>, ...names: readonly string[]): unknown =>
  names.map((name) => fields.get(name)).find(isGiven)

/** The fields that are a URL of this engine. Those for JDBC count where there is no other: beside one, they say the same again. */
function urlFields(fields: ReadonlyMap<string, unknown>, { schemes }: Dialect): readonly (readonly [name: string, text: string])[] {
  const matching = (form: RegExp) =>
    [...fields].flatMap(([name, text]) =>
      typeof text === 'string' && looksLikeUrl(text) && form.test(text) ? [[name, text] as const] : [],
    )
  const plain = matching(new RegExp(`^(${schemes.join('|')}):`, 'i'))
  return plain.length > 0 ? plain : matching(new RegExp(`^jdbc:(${schemes.join('|')}):`, 'i'))
}

/** undefined for a URL that cannot be parsed: beside the fields of a login it may be one that we did not write. */
function readable(text: string, name: string): UrlParts[] | undefined {
  try {
    return [parseUrl(text, name)]
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

/** bad_value where no field holds a login, and a URL that could be meant cannot be read, or is the one of another system. */
function assertNoOtherUrl(fields: ReadonlyMap<string, unknown>, dialect: Dialect): void {
  if (given(fields, 'username', 'user', 'password') !== undefined) return
  for (const [name, text] of urlFields(fields, dialect)) parseUrl(text, name)
  if (given(fields, 'host') !== undefined) return
  for (const [name, text] of fields)
    if (typeof text === 'string' && looksLikeUrl(text) && systemOf(text) !== undefined) failSystem(name, text, dialect)
}

function failSystem(field: string, text: string, { title, schemes }: Dialect): never {
  const next = `Put the URL of a ${title} server (${schemes[0]}://…), or name another rotator in keyturn-rotator.`
  return failValue(field, `is a connection URL of ${systemOf(text) ?? 'an unknown system'}, and this rotator is for ${title}`, next)
}

function fromUrl(url: UrlParts, dialect: Dialect): DatabaseLogin {
  const { schemes } = dialect
  const next = `Write it as ${schemes[0]}://user:password@host/database.`
  if (!new RegExp(`^(jdbc:)?(${schemes.join('|')}):`, 'i').test(url.head)) failSystem('value', url.head, dialect)
  const host = url.host || (dialect.hostless ? '' : failValue('host', 'is missing in the URL', next))
  const port = readPort(url.port) ?? dialect.port
  const user = url.user || failValue('username', 'is missing in the URL', next)
  const password = url.password || failValue('password', 'is empty or missing in the URL', next)
  const login: DatabaseLogin = {
    host,
    port,
    user,
    password: new SecretText(password),
    database: url.path || dialect.database,
    tls: readTls(new Map(Object.entries(url.query)), dialect.tls),
    shape: 'url',
  }
  return checked(login, dialect)
}

const atForm = /^([^@/ ]+)@([^@/: ]+)(?::(\d{1,5}))?\/([^@/ ]+)$/
/** Reads a bare password. The policy says where it logs in. */
function bare(password: string, policy: Policy, dialect: Dialect): DatabaseLogin {
  const match = atForm.exec(policyText(policy, atKey) ?? '')
  if (!match) {
    throw new RotationError('bad_policy', 'The value is a bare password, and keyturn-at does not say where it logs in.', {
      field: 'keyturn-at',
      next: `Set keyturn-at=user@host:${dialect.port}/database, or put the value as JSON or as a URL.`,
    })
  }
  const [, user = '', host = '', port, database = ''] = match
  const login: DatabaseLogin = {
    host,
    port: readPort(port) ?? dialect.port,
    user,
    password: new SecretText(password),
    database,
    tls: readTls(new Map(), dialect.tls),
    shape: 'bare',
  }
  return checked(login, dialect)
}

/** The first of the fields that is given; where `instead` says what an absent one means, an empty one and null mean the same. */
function textField(fields: ReadonlyMap<string, unknown>, names: readonly string[], instead?: string): string {
  const given = names.find((candidate) => isGiven(fields.get(candidate)))
  const name = given ?? (instead === undefined ? names.find((candidate) => fields.has(candidate)) : undefined)
  const value = name === undefined ? instead : fields.get(name)
  const field = name ?? names[0] ?? 'value'
  if (value === undefined) return failValue(field, 'is missing', 'Put the value again with it.')
  if (typeof value !== 'string') {
    const kind = value === null ? 'null' : typeof value
    return failValue(field, `must be a text, not ${kind}`, 'Put the value again with it in quotes.')
  }
  if (value !== '') return value
  const isPassword = field === 'password'
  const next = isPassword ? 'An empty password protects nothing: put the real one.' : 'Put the value again with it.'
  return failValue(field, 'is empty', next)
}

function checked(login: DatabaseLogin, { names, hostless }: Dialect): DatabaseLogin {
  if (!hostless || login.host !== '') assertHost(login.host)
  assertName(login.user, 'username', names)
  return login
}
