import { codeOf, RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape, type Shape, writeLogin } from '../../core/shapes/index.js'
import { looksLikeUrl, parseUrl, type UrlParts } from '../../core/shapes/url.js'
import { assertClear, assertHost } from './clear.js'
import type { Dialect } from './dialect.js'
import { failValue } from './errors.js'
import { assertName } from './names.js'
import { atKey } from './policy.js'
import { readTls, type Tls } from './tls.js'

/** One login: fields only, never a connection string, so that nothing is read from a URL or from a driver's variables behind our back. */
export interface DatabaseLogin {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: SecretText
  readonly database: string
  readonly tls: Tls
  readonly shape: Shape['kind']
}

/** A login in fields of a JSON value, as a connection URL, or as a bare password. bad_value with the field, bad_policy with keyturn-at for a bare one. */
export function parseLogin(value: SecretText, policy: Policy, dialect: Dialect): DatabaseLogin {
  assertClear(value, dialect)
  const shape = readShape(value)
  if (shape.kind === 'bare') return bare(shape.text, policy, dialect)
  if (shape.kind === 'url') return fromUrl(shape.url, dialect)
  const { fields } = shape
  const url = ownUrl(fields, dialect)
  const text = (names: readonly string[], instead?: string): string => textField(fields, names, instead)
  return checked(
    {
      host: text(['host'], url?.host),
      port: portOf(fields.get('port') ?? url?.port, dialect),
      user: text(['username', 'user'], url?.user),
      password: new SecretText(text(['password'], url?.password)),
      database: text(['dbname', 'database'], url?.path || dialect.database),
      tls: readTls(new Map([...Object.entries(url?.query ?? {}), ...fields]), dialect.tls),
      shape: shape.kind,
    },
    dialect,
  )
}

/** The same value with another login in it; every other byte stays. bad_value where the old one stands in a form that cannot be rewritten. */
export function renderLogin(shape: SecretText, { user, password }: DatabaseLogin, dialect: Dialect): SecretText {
  const text = shape.reveal()
  // A bare value holds no user; to parse it would take the policy.
  const bareText = text === '' || readShape(shape).kind === 'bare'
  const from = bareText ? { user, password: text } : loginIn(parseLogin(shape, {}, dialect))
  return writeLogin(shape, from, loginIn({ user, password }))
}
const loginIn = ({ user, password }: Pick<DatabaseLogin, 'user' | 'password'>) => ({ user, password: password.reveal() })

/**
 * The connection URL of this very login, whose host, port, database and TLS settings complete the other fields: one with the same user and
 * password, or the only one where no field holds a login. A URL of somebody else, or to another host, lends nothing.
 */
function ownUrl(fields: ReadonlyMap<string, unknown>, { schemes }: Dialect): UrlParts | undefined {
  const ours = new RegExp(`^(${schemes.join('|')}):`, 'i')
  const urls = [...fields].flatMap(([name, text]) =>
    typeof text === 'string' && looksLikeUrl(text) && ours.test(text) ? (readable(text, name) ?? []) : [],
  )
  const [user, password, host] = [fields.get('username') ?? fields.get('user'), fields.get('password'), fields.get('host')]
  if (user === undefined && password === undefined && urls.length > 1)
    failValue('username', 'is missing, and several fields hold a connection URL', 'Add username and password, or keep one connection URL.')
  return urls.find(
    (url) =>
      (user === undefined || url.user === user) &&
      (password === undefined || url.password === password) &&
      (host === undefined || String(host).toLowerCase() === url.host.toLowerCase()),
  )
}

/** What cannot be taken apart is somebody else's: ours is written by us. */
function readable(text: string, name: string): UrlParts[] | undefined {
  try {
    return [parseUrl(text, name)]
  } catch (cause) {
    if (codeOf(cause) === 'bad_value') return undefined
    throw cause
  }
}

function fromUrl(url: UrlParts, dialect: Dialect): DatabaseLogin {
  const { schemes, title } = dialect
  const next = `Write it as ${schemes[0]}://user:password@host/database.`
  if (!new RegExp(`^(jdbc:)?(${schemes.join('|')}):`, 'i').test(url.head))
    failValue('value', `is a connection URL, but not one of ${title}`, `Begin it with ${schemes[0]}://.`)
  return checked(
    {
      host: url.host || failValue('host', 'is missing in the URL', next),
      port: portOf(url.port, dialect),
      user: url.user || failValue('username', 'is missing in the URL', next),
      password: new SecretText(url.password || failValue('password', 'is empty or missing in the URL', next)),
      database: url.path || dialect.database,
      tls: readTls(new Map(Object.entries(url.query)), dialect.tls),
      shape: 'url',
    },
    dialect,
  )
}

/** A bare password: where it logs in stands in the policy. */
function bare(password: string, policy: Policy, dialect: Dialect): DatabaseLogin {
  const match = /^([^@/ ]+)@([^@/: ]+)(?::(\d{1,5}))?\/([^@/ ]+)$/.exec(policyText(policy, atKey) ?? '')
  if (!match) {
    throw new RotationError('bad_policy', 'The value is a bare password, and keyturn-at does not say where it logs in.', {
      field: 'keyturn-at',
      next: `Set keyturn-at=user@host:${dialect.port}/database, or put the value as JSON or as a URL.`,
    })
  }
  const [, user = '', host = '', port, database = ''] = match
  const tls = readTls(new Map(), dialect.tls)
  return checked({ host, port: portOf(port, dialect), user, password: new SecretText(password), database, tls, shape: 'bare' }, dialect)
}

function textField(fields: ReadonlyMap<string, unknown>, names: readonly string[], instead?: string): string {
  const name = names.find((candidate) => fields.has(candidate))
  const value = name === undefined ? instead : fields.get(name)
  const field = name ?? names[0] ?? 'value'
  if (value === undefined) return failValue(field, 'is missing', 'Put the value again with it.')
  if (typeof value !== 'string')
    return failValue(field, `must be a text, not ${value === null ? 'null' : typeof value}`, 'Put the value again with it in quotes.')
  if (value === '') {
    const next = field === 'password' ? 'An empty password protects nothing: put the real one.' : 'Put the value again with it.'
    return failValue(field, 'is empty', next)
  }
  return value
}

function portOf(value: unknown, dialect: Dialect): number {
  const number = value === undefined ? dialect.port : typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number > 0 && number < 65_536) return number
  return failValue('port', 'is not a port number', 'Give a whole number from 1 to 65535.')
}

function checked(login: DatabaseLogin, { names }: Dialect): DatabaseLogin {
  assertHost(login.host)
  assertName(login.user, 'username', names)
  return login
}
