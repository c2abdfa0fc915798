import type { Policy } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { postgresDialect } from '../sql/dialects.js'
import { type DatabaseLogin, parseLogin } from '../sql/login.js'
import { type Place, serverIn } from '../sql/places.js'

export { postgresDialect as dialect }

/** What the rotator reads from a value: one login, and how its server is reached. */
export interface PostgresValue extends DatabaseLogin {
  /** The place that the value itself names, if the policy names another one as the server: consumers log in there. */
  readonly consumersAt?: Place
}

/** Host and port are those of the server, also where the value names a pooler. bad_value with the field, or bad_policy with keyturn-at for a bare password. */
export function parsePostgres(value: SecretText, policy: Policy): PostgresValue {
  const login = parseLogin(value, policy, postgresDialect)
  const server = serverIn(policy, postgresDialect.port)
  if (server === undefined) return login
  const { host, port } = login
  return { ...login, ...server, consumersAt: { host, port } }
}
