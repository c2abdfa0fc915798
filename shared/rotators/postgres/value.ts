import { codeOf, RotationError } from '../../core/errors.js'
import { policyText } from '../../core/policy/index.js'
import { commonKeys } from '../../core/policy/keys.js'
import type { Policy } from '../../core/ports/words.js'
import { SecretText } from '../../core/secret-text.js'
import { readShape, type Shape } from '../../core/shapes/index.js'
import { looksLikeUrl, parseUrl, type UrlParts } from '../../core/shapes/url.js'
import { bad } from './errors.js'
import { readTls, type Tls } from './tls.js'

/** One login: fields only, never a connection string, so that nothing is read from a URL or from PG* variables behind our back. */
export interface PostgresValue {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: SecretText
  readonly database: string
  readonly tls: Tls
  readonly shape: Shape['kind']
}

/** NAMEDATALEN - 1: the server cuts longer names with a mere NOTICE, and then means another role. */
export const nameBytesMax = 63

/** bad_value with the field, or with keyturn-at for a bare password. */
export function parsePostgres(value: SecretText, policy: Policy): PostgresValue {
  const shape = readShape(value)
  if (shape.kind === 'bare') return bare(shape.text, policy)
  if (shape.kind === 'url') return fromUrl(shape.url)
  const { fields } = shape
  const url = ownUrl(fields)
  const text = (names: readonly string[], instead?: string): string => textField(fields, names, instead)
  const value_ = {
    host: text(['host'], url?.host),
    port: port(fields.get('port') ?? url?.port),
    user: text(['username', 'user'], url?.user),
    password: new SecretText(text(['password'], url?.password)),
    database: text(['dbname', 'database'], url?.path || 'postgres'),
    tls: readTls(new Map([...Object.entries(url?.query ?? {}), ...fields])),
    shape: shape.kind,
  }
  return checked(value_)
}

/**
 * The connection URL of this very login, whose host, port, database and TLS settings complete the other fields: one with the same user and
 * password, or the only one where no field holds a login. A URL of somebody else, or to another host, lends nothing.
 */
function ownUrl(fields: ReadonlyMap<string, unknown>): UrlParts | undefined {
  const urls = [...fields].flatMap(([name, text]) => (typeof text === 'string' && isPostgresUrl(text) ? (readable(text, name) ?? []) : []))
  const [user, password, host] = [fields.get('username') ?? fields.get('user'), fields.get('password'), fields.get('host')]
  if (user === undefined && password === undefined && urls.length > 1)
    bad('username', 'is missing, and several fields hold a connection URL', 'Add username and password, or keep one connection URL.')
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

const isPostgresUrl = (text: string): boolean => looksLikeUrl(text) && /^postgres(ql)?:/i.test(text)

function fromUrl(url: UrlParts): PostgresValue {
  if (!/^(jdbc:)?postgres(ql)?:/i.test(url.head))
    bad('value', 'is a connection URL, but not one of PostgreSQL', 'Begin it with postgres://.')
  return checked({
    host: url.host || bad('host', 'is missing in the URL', 'Write it as postgres://user:password@host/database.'),
    port: port(url.port),
    user: url.user || bad('username', 'is missing in the URL', 'Write it as postgres://user:password@host/database.'),
    password: new SecretText(
      url.password || bad('password', 'is empty or missing in the URL', 'Write it as postgres://user:password@host/database.'),
    ),
    database: url.path || 'postgres',
    tls: readTls(new Map(Object.entries(url.query))),
    shape: 'url',
  })
}

/** A bare password: where it logs in stands in the policy. */
function bare(password: string, policy: Policy): PostgresValue {
  const key = commonKeys.find(({ name }) => name === 'at')
  const at = key && policyText(policy, key)
  const match = /^([^@/ ]+)@([^@/: ]+)(?::(\d{1,5}))?\/([^@/ ]+)$/.exec(at ?? '')
  if (!match) {
    throw new RotationError('bad_policy', 'The value is a bare password, and keyturn-at does not say where it logs in.', {
      field: 'keyturn-at',
      next: 'Set keyturn-at=user@host:5432/database, or put the value as JSON or as a URL.',
    })
  }
  const [, user = '', host = '', number, database = ''] = match
  return checked({ host, port: port(number), user, password: new SecretText(password), database, tls: readTls(new Map()), shape: 'bare' })
}

function textField(fields: ReadonlyMap<string, unknown>, names: readonly string[], instead?: string): string {
  const name = names.find((candidate) => fields.has(candidate))
  const value = name === undefined ? instead : fields.get(name)
  const field = name ?? names[0] ?? 'value'
  if (value === undefined) return bad(field, 'is missing', 'Put the value again with it.')
  if (typeof value !== 'string')
    return bad(field, `must be a text, not ${value === null ? 'null' : typeof value}`, 'Put the value again with it in quotes.')
  if (value === '')
    return bad(
      field,
      'is empty',
      field === 'password' ? 'PostgreSQL has no empty passwords: put the real one.' : 'Put the value again with it.',
    )
  return value
}

function port(value: unknown): number {
  const number = value === undefined ? 5432 : typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number > 0 && number < 65_536) return number
  return bad('port', 'is no port number', 'Give a whole number from 1 to 65535.')
}

function checked(value: PostgresValue): PostgresValue {
  if (/[,/\s]/.test(value.host))
    bad('host', 'must be one host name or address', 'Name the writable endpoint; lists of hosts and socket folders are not supported.')
  assertName(value.user, 'username')
  return value
}

/** bad_value for a role name that the server would cut, or that it cannot hold. */
export function assertName(name: string, field: string): void {
  const bytes = Buffer.byteLength(name)
  if (bytes > nameBytesMax) {
    bad(field, `has ${bytes} bytes; PostgreSQL cuts names after ${nameBytesMax} and would mean another role`, 'Use a shorter role name.')
  }
  if (name === '' || name.includes('\0')) bad(field, 'is empty or holds a NUL character', 'Use another role name.')
}
