import type { RotationError } from '../../core/errors.js'
import type { Env } from '../../core/ports/env.js'
import type { Context, Difference, Usage } from '../../core/ports/rotator.js'
import type { Policy } from '../../core/ports/words.js'
import type { SecretText } from '../../core/secret-text.js'
import { failPolicy, failValue } from '../sql/errors.js'
import { endpointsIn, isSamePlace, type Place, readsSecret, showPlace } from '../sql/places.js'
import { differencesAreFatal } from '../sql/policy.js'
import { actsIn, type Card, cardOf } from './cards.js'
import { refusedError, silentError } from './endpoint-errors.js'
import { within } from './logins.js'
import { login, type Session } from './session.js'
import { dialect, type PostgresValue } from './value.js'

/** Where consumers log in beside the server: what the value names where the policy names another server, then what the policy names. */
function endpointsOf(policy: Policy, { consumersAt }: PostgresValue): readonly Place[] {
  const own = consumersAt === undefined || readsSecret(consumersAt) ? [] : [consumersAt]
  const named = endpointsIn(policy, dialect.port).filter((place) => !own.some((one) => isSamePlace(one, place)))
  return [...own, ...named]
}

/** Throws where the places contradict one another. bad_policy, bad_value. */
export function checkEndpoints({ current, policy }: Context<PostgresValue>, pending: PostgresValue | undefined): void {
  if (current === undefined) return
  const { consumersAt } = current
  if (consumersAt !== undefined && isSamePlace(consumersAt, current)) {
    const next = 'Remove it. It is for a value that names a pooler.'
    failPolicy('server', `names ${showPlace(current)}, as the value does`, next)
  }
  if (endpointsIn(policy, dialect.port).some((place) => isSamePlace(place, current))) {
    const next = 'Name the poolers only. Where the value names a pooler, name the server in keyturn-server.'
    failPolicy('endpoints', `names ${showPlace(current)}, which is the server`, next)
  }
  const isElsewhere = pending?.consumersAt && consumersAt && !isSamePlace(pending.consumersAt, consumersAt)
  if (isElsewhere)
    failValue(
      'host',
      'of the pending value names another place than the current one',
      'Put a corrected value; the pending one is not applied.',
    )
}

/** What one login through an endpoint ended with. */
type Passage = { readonly differences: readonly Difference[] } | { readonly failed: RotationError }
interface Passed {
  readonly credential: string
  readonly password: SecretText
  readonly passage: Passage
}
/** One environment is one invocation. What an endpoint answered in it stands: a retry of the test logs in through no endpoint twice. */
const passages = new WeakMap<Env, Passed[]>()

/**
 * Logs in through each endpoint, one after the other, after the server has accepted the value. It stops at the first that does not let it in. Throws
 * target_denied where an endpoint refuses what the server accepts: a person, or a reload, resolves that, and nothing may be thrown away for it. Returns what
 * the session there is, if that is not what the login says.
 */
export async function tryEndpoints(context: Context<PostgresValue>, value: PostgresValue): Promise<readonly Difference[]> {
  const differences: Difference[] = []
  for (const endpoint of endpointsOf(context.policy, value)) {
    const passage = await passOnce(context, value, endpoint)
    if ('failed' in passage) throw passage.failed
    differences.push(...passage.differences)
  }
  return differences
}

async function passOnce(context: Context<PostgresValue>, value: PostgresValue, endpoint: Place): Promise<Passage> {
  const { env } = context
  const known = passages.get(env) ?? []
  passages.set(env, known)
  const credential = `${value.user}@${showPlace(endpoint)}/${value.database}`
  const before = known.find((one) => one.credential === credential && one.password.equals(value.password))
  if (before) return before.passage
  const passage = await pass(context, value, endpoint)
  // What is out of reach may be in reach the next time. Nothing was refused then.
  if (!('failed' in passage) || passage.failed.remedy !== 'retry') known.push({ credential, password: value.password, passage })
  return passage
}

async function pass(context: Context<PostgresValue>, value: PostgresValue, endpoint: Place): Promise<Passage> {
  const result = await login({ ...value, ...endpoint }, context.env, 'pooler')
  if (!('session' in result)) return { failed: refusedError(context, value, endpoint, result.failed) }
  return within(result.session, async (session) => {
    try {
      return { differences: await compare(context, session, endpoint) }
    } catch (cause) {
      return { failed: silentError(context, value, endpoint, cause) }
    }
  })
}

interface Acting {
  readonly session_user: string
  readonly current_user: string
  readonly database: string
  readonly card: Card
}
/** What its own settings say is what a session that nobody else has used acts as. */
const actingQuery = `
select session_user::text, current_user::text, current_database() as database, ${cardOf('session_user')} as card`

/** What the login is and acts as there. The rest of the login is the server's catalog, which was compared at the server. */
async function compare({ policy }: Context<PostgresValue>, session: Session, endpoint: Place): Promise<readonly Difference[]> {
  const [seen] = await session.query<Acting & Record<string, unknown>>(actingQuery)
  const fatal = differencesAreFatal(policy)
  const at = ` through ${showPlace(endpoint)}`
  if (seen === undefined) throw new Error('its answer is empty')
  const { session_user: incoming, current_user: acting, database, card } = seen
  if (incoming !== session.user) return [{ what: `session_user${at}`, outgoing: session.user, incoming, fatal }]
  const outgoing = actsIn(card, database)
  return acting === outgoing ? [] : [{ what: `current_user${at}`, outgoing, incoming: acting, fatal }]
}

/**
 * What a session list shows where consumers come through poolers: the pooler's sessions, which it opens and closes as it likes. Their end does not prove
 * that nobody holds the credential, so none of them counts as lasting.
 */
export function throughEndpoints({ policy, current }: Context<PostgresValue>, usage: Usage): Usage {
  if (current === undefined || placesBefore(policy, current).length === 0) return usage
  return { ...usage, lasting: false, evidence: `${usage.evidence}; sessions of a pooler do not show which consumers hold the credential` }
}

const placesBefore = (policy: Policy, value: PostgresValue): readonly Place[] =>
  value.consumersAt === undefined ? endpointsOf(policy, value) : [value.consumersAt, ...endpointsOf(policy, value)]

/** What a person should know before the first rotation; nothing where consumers log in at the server. */
export function endpointsOutlook(value: PostgresValue, policy: Policy): string | undefined {
  const places = endpointsOf(policy, value).map(showPlace)
  if (places.length === 0) return undefined
  const waits = `a rotation publishes only when the new password logs in through ${places.join(', ')} too`
  return `${waits}; the sessions of a pooler do not show which consumers hold a credential, so name them in keyturn-consumers`
}
