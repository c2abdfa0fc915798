import { optional } from '../../core/optional.js'
import type { Proof, Rotator } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { readShape } from '../../core/shapes/index.js'
import type { Dialect } from '../sql/dialect.js'
import { mysqlDialect, postgresDialect } from '../sql/dialects.js'
import { type DatabaseLogin, parseLogin } from '../sql/login.js'
import { accountHostIn, type Place, placeIn, provenBy } from './policy.js'

/** What the rotator reads from a value and its policy: a login, and of which instance it is. */
export interface CloudSqlValue {
  readonly login: DatabaseLogin
  readonly place: Place
  /** What the value says of it. Which engine the instance runs is what the instance says. */
  readonly engine?: Engine
  readonly provenBy: Proof
  /** Of a MySQL account; undefined: every host. */
  readonly accountHost?: string
}
export type Engine = 'postgres' | 'mysql'

const words: Readonly<Record<Engine, RegExp>> = {
  postgres: /^(?:jdbc:|aurora-)?postgres(?:ql)?(?![\w-])/i,
  mysql: /^(?:jdbc:|aurora-)?(?:mysql|mariadb)(?![\w-])/i,
}
const engineIn = (text: string): Engine | undefined => (['postgres', 'mysql'] as const).find((engine) => words[engine].test(text))

/** The engine that the value names by its URL, or by the field that templates of other clouds write; undefined where it names none, or two. */
function engineOf(value: SecretText): Engine | undefined {
  const shape = readShape(value)
  if (shape.kind === 'url') return engineIn(shape.url.head)
  if (shape.kind !== 'json') return undefined
  const named = shape.fields.get('engine')
  const texts = [...shape.fields.values()].filter((text) => typeof text === 'string')
  const urls = new Set(texts.filter((text) => text.includes('://')).flatMap((text) => engineIn(text.trim()) ?? []))
  if (typeof named === 'string') return engineIn(named)
  return urls.size === 1 ? [...urls][0] : undefined
}

/** How a value is read by which nobody logs in here. */
export const dialectOf = (engine: Engine | undefined): Dialect => ({
  ...(engine === 'mysql' ? mysqlDialect : postgresDialect),
  hostless: true,
})

/** bad_value with the field; bad_policy where the policy names no instance. */
export function parseCloudSql(inner: Rotator<DatabaseLogin>, value: SecretText, policy: Policy): CloudSqlValue {
  const engine = engineOf(value)
  const by = provenBy(policy)
  const accountHost = accountHostIn(policy)
  const login = by === 'login' && engine !== 'mysql' ? inner.parse(value, policy) : parseLogin(value, policy, dialectOf(engine))
  return { login, place: placeIn(policy), provenBy: by, ...optional('engine', engine), ...optional('accountHost', accountHost) }
}
