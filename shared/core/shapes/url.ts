import { RotationError } from '../errors.js'

/** A connection URL taken apart without losing a byte: `head` + userinfo + `tail` is the text again. */
export interface UrlParts {
  readonly head: string // scheme and ://, with a leading jdbc: if there is one
  readonly user?: string
  readonly password?: string
  readonly tail: string // from the @ or, without userinfo, from the host on
  readonly host: string
  readonly port?: number
  readonly path: string
  readonly query: Readonly<Record<string, string>>
}

const form = /^((?:jdbc:)?[a-z][a-z0-9+.-]*:\/\/)([^/?#]*)(.*)$/is

/** Whether it begins with a scheme and :// and has no white space; the rest is not checked. */
export const looksLikeUrl = (text: string): boolean => form.test(text) && !/\s/.test(text)

/** The login of a URL, and the text before and after it. */
export type UrlLogin = Pick<UrlParts, 'head' | 'user' | 'password' | 'tail'>

/**
 * Splits off scheme and login, even of a URL with several hosts. bad_value, naming `field`, if clients do not agree where the login ends, or if a
 * percent sign in the login starts no character.
 */
export function splitLogin(text: string, field: string): UrlLogin {
  const [, head = '', authority = '', rest = ''] = form.exec(text) ?? failUrl(field, 'is not a connection URL')
  if (hasOtherEnd(head, authority, rest)) failUnclear(field)
  const at = authority.lastIndexOf('@')
  if (at < 0) return { head, tail: authority + rest }
  const userinfo = authority.slice(0, at)
  const tail = authority.slice(at) + rest
  const colon = userinfo.indexOf(':')
  if (colon < 0) return { head, user: decode(userinfo, field), tail }
  const [user, password] = [userinfo.slice(0, colon), userinfo.slice(colon + 1)]
  return { head, user: decode(user, field), password: decode(password, field), tail }
}

/** One host and port as the end of a login would be followed by, or several of them. */
const servers = /^(\[[^\]]*\]|[^/?#:@&=;,]*)(:\d*)?(,(\[[^\]]*\]|[^/?#:@&=;,]*)(:\d*)?)*([/?#]|$)/
/** In paths and queries of the web an @ is usual, and every client takes them apart by the one standard. */
const web = /(^|\+)(https?|wss?|ftp|ssh):/i

/**
 * Whether the login of a URL could end at another @. libpq ends it at the first one, the WHATWG parser at the last one before a slash; and behind a
 * raw slash, question mark or number sign in a password the host would begin for both.
 */
function hasOtherEnd(head: string, authority: string, rest: string): boolean {
  if (authority.indexOf('@') !== authority.lastIndexOf('@')) return true
  const later = rest.lastIndexOf('@')
  if (later < 0 || web.test(head) || !authority.includes(':')) return false // without a colon there is no password to take apart
  const isInPath = !/[?#]/.test(rest.slice(0, rest.indexOf('@')))
  return isInPath || servers.test(rest.slice(later + 1))
}

/** bad_value, naming `field`, for what splitLogin refuses, if there are several hosts, or if the port is not a number. */
export function parseUrl(text: string, field: string): UrlParts {
  const login = splitLogin(text, field)
  const [, server = '', path = '', query = ''] = /^@?([^/?#]*)([^?#]*)\??([^#]*)/.exec(login.tail) ?? []
  const [, host = '', port] =
    /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(server) ?? failUrl(field, 'names more than one host or an invalid port')
  return {
    ...login,
    host: host.replace(/^\[|\]$/g, ''),
    ...(port === undefined ? {} : { port: Number(port) }),
    path: decode(path.replace(/^\//, ''), field),
    query: Object.fromEntries(new URLSearchParams(query)),
  }
}

/** Returns the URL with another login. Only the userinfo changes; every character that could mean something in a URL is percent-encoded. */
export function withLogin(parts: UrlLogin, user: string, password: string): string {
  const tail = parts.tail.startsWith('@') ? parts.tail : `@${parts.tail}`
  return `${parts.head}${encode(user)}:${encode(password)}${tail}`
}

/** Percent-encodes, besides what encodeURIComponent encodes, ! ' ( ) * */
export const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

function decode(text: string, field: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    if (cause instanceof URIError) return failUrl(field, 'holds a % that starts no percent-encoded UTF-8 character')
    throw cause
  }
}

/** How a special character in a login is written in a URL. */
export const encoded = 'percent-encoded: @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25'

/** bad_value for a URL of which clients read different logins. */
export function failUnclear(field: string): never {
  const why = 'has a raw @, /, ? or # in or behind its login, so that clients do not agree where the password ends and the host begins'
  throw new RotationError('bad_value', `The field ${field} ${why}.`, {
    field,
    next: `Put it again with the special characters of user and password ${encoded}. Write an @ behind the host as %40, too.`,
  })
}

function failUrl(field: string, why: string): never {
  throw new RotationError('bad_value', `The field ${field} ${why}.`, {
    field,
    next: `Write it as scheme://user:password@host:port/database, with special characters ${encoded}.`,
  })
}
