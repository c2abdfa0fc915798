/** What a client reads in a connection URL. */
export interface Read {
  readonly user: string
  readonly password: string
  readonly host: string
  readonly port: string
  readonly database: string
}
type Reader = (url: string) => Read | undefined

/** libpq's own scan, written down from conninfo_uri_parse_options: the login ends at the first @ before a slash. undefined: it refuses the URL. */
export const asLibpq: Reader = (url) => {
  const text = url.slice(url.indexOf('://') + 3)
  const end = text.search(/[@/]/)
  const hasLogin = end >= 0 && text[end] === '@'
  const [, user = '', , password = ''] = /^([^:]*)(:(.*))?$/s.exec(hasLogin ? text.slice(0, end) : '') ?? []
  const match = /^(\[[^\]]+\]|(?!\[)[^:/?,]*)(?::([^/?,]*))?(?:\/([^?]*))?(?:\?(.*))?$/s.exec(hasLogin ? text.slice(end + 1) : text)
  if (!match) return undefined
  const [, host = '', port = '', database = '', query = ''] = match
  const names = query === '' ? [] : query.split('&').map((pair) => pair.split('=')[0] ?? '')
  if (!/^\d*$/.test(port) || names.some((name) => !['sslmode', 'application_name', 'connect_timeout'].includes(name))) return undefined
  const texts = [user, password, host.replace(/^\[(.*)\]$/s, '$1'), database]
  if (texts.some((one) => /%(?![0-9a-f]{2})|%00/i.test(one))) return undefined
  const [u = '', p = '', h = '', d = ''] = texts.map((one) => decodeBytes(one))
  return { user: u, password: p, host: h, port, database: d }
}

/** Byte by byte, as C does it. */
const decodeBytes = (text: string): string => {
  const bytes = text
    .match(/%[0-9a-f]{2}|[^%]/giu)
    ?.map((one) => (one.length === 3 && one[0] === '%' ? Number.parseInt(one.slice(1), 16) : one))
  return Buffer.concat((bytes ?? []).map((one) => (typeof one === 'number' ? Buffer.from([one]) : Buffer.from(one)))).toString('utf8')
}

/** As the WHATWG parser of Node reads it. undefined: it refuses the URL, or a percent sign in it starts no character. */
export const asWhatwg: Reader = (url) => {
  try {
    const { username, password, hostname, port, pathname } = new URL(url)
    const [user = '', secret = '', database = ''] = [username, password, pathname.slice(1)].map(decodeURIComponent)
    return { user, password: secret, host: hostname.replace(/^\[|\]$/g, ''), port, database }
  } catch (cause) {
    if (cause instanceof URIError || (cause instanceof TypeError && 'code' in cause && cause.code === 'ERR_INVALID_URL')) return undefined
    throw cause
  }
}
