import { looksLikeUrl } from './url.js'

/** Without `user` the user of a URL counts, whoever it is. */
export interface AnyLogin {
  readonly user?: string
  readonly password: string
}

/** More would be no URL that a person wrote. */
const endsMax = 64
const userNames = ['user', 'username', 'pguser']
const passwordNames = ['password', 'pass', 'passwd', 'pwd', 'pgpassword']

/** Whether any client could read this login in a URL: with whichever @ as its end, decoded or not, or in the query. */
export const mayCarry = (text: string, login: AnyLogin): boolean =>
  looksLikeUrl(text) && [...logins(text), ...inQuery(text)].some((read) => isLogin(read, login))

/** Whether clients that read a login in the query of a URL would read this one. */
export const carriesInQuery = (text: string, login: AnyLogin): boolean => inQuery(text).some((read) => isLogin(read, login))

function logins(text: string): readonly AnyLogin[] {
  const after = text.slice(text.indexOf('://') + '://'.length)
  const found: AnyLogin[] = []
  for (let at = after.indexOf('@'); at >= 0 && found.length < endsMax; at = after.indexOf('@', at + 1)) {
    const userinfo = after.slice(0, at)
    const colon = userinfo.indexOf(':')
    if (colon >= 0) found.push({ user: userinfo.slice(0, colon), password: userinfo.slice(colon + 1) })
  }
  return found
}

function inQuery(text: string): readonly AnyLogin[] {
  const start = text.indexOf('?')
  if (start < 0) return []
  const query = [...new URLSearchParams(text.slice(start + 1))].map(([name, value]) => [name.toLowerCase(), value] as const)
  const users = query.filter(([name]) => userNames.includes(name)).map(([, user]) => user)
  const passwords = query.filter(([name]) => passwordNames.includes(name)).map(([, password]) => password)
  return passwords.flatMap((password) => (users.length === 0 ? [{ password }] : users.map((user) => ({ user, password }))))
}

const isLogin = (read: AnyLogin, { user, password }: AnyLogin): boolean =>
  (user === undefined || read.user === undefined || isText(read.user, user)) && isText(read.password, password)
const isText = (read: string, text: string): boolean => read === text || decoded(read) === text

/** Decodes what can be decoded, and leaves every other percent sign. */
const decoded = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (triples) => {
    try {
      return decodeURIComponent(triples)
    } catch (cause) {
      if (cause instanceof URIError) return triples
      throw cause
    }
  })
