import type { Proof, Rotator } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { readShape } from '../../core/shapes/index.js'
import type { Dialect } from '../sql/dialect.js'
import { mysqlDialect, postgresDialect } from '../sql/dialects.js'
import { type DatabaseLogin, parseLogin } from '../sql/login.js'

export type Engine = 'postgres' | 'mysql'

/** A login, and of which server it is. */
export interface PlacedLogin<P = unknown> {
  readonly login: DatabaseLogin
  /** Which server is meant, as its control plane names it. */
  readonly place: P
  /** undefined where only the control plane can say it. */
  readonly engine?: Engine
  readonly provenBy: Proof
}

const words: Readonly<Record<Engine, RegExp>> = {
  postgres: /^(?:jdbc:|aurora-)?postgres(?:ql)?(?![\w-])/i,
  mysql: /^(?:jdbc:|aurora-)?(?:mysql|mariadb)(?![\w-])/i,
}
const engineIn = (text: string): Engine | undefined => (['postgres', 'mysql'] as const).find((engine) => words[engine].test(text))

/** The engine that the value names by its URL, or by the field that templates of other clouds write; undefined where it names none, or two. */
export function engineOf(value: SecretText): Engine | undefined {
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

/** Where a login is to prove the value, the rotator that logs in reads it. bad_value with the field. */
export const parseFor = (
  inner: Rotator<DatabaseLogin>,
  value: SecretText,
  policy: Policy,
  { engine, provenBy }: Pick<PlacedLogin, 'engine' | 'provenBy'>,
): DatabaseLogin => (provenBy === 'login' && engine !== 'mysql' ? inner.parse(value, policy) : parseLogin(value, policy, dialectOf(engine)))
