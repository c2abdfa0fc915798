import { counted } from '../core/counted.js'
import { messageOf, RotationError } from '../core/errors.js'
import { shownDrift } from '../core/notices.js'
import { optional } from '../core/optional.js'
import type { DeployedFinding } from '../core/ports/deployed.js'
import type { Preflight } from '../core/ports/notifier.js'
import type { Listed } from '../core/ports/store.js'
import { remedies } from '../core/remedies.js'
import { inspectCompanions } from '../lifecycle/consumers/companions.js'
import { codeOfFound } from '../lifecycle/consumers/preflight.js'
import { type Status, statusOf } from '../lifecycle/fleet/status.js'
import { lookError, shownLook, verifyCurrent } from '../lifecycle/secret/adopt.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { named, type Trial, warningsOf } from '../lifecycle/secret/trial.js'
import type { Config } from './config.js'
import { inspectAudit, inspectFolders } from './doctor-disk.js'
import { type Finding, good, wrong } from './finding.js'

const clockMsMax = 60_000

/** What doctor examines. `local`: the store, or that of the configuration, is a folder of this machine; else there need be none. */
export interface Examined {
  readonly config: Config
  readonly local: boolean
  /** Asked for once the folders were looked at: a store that cannot be opened is a finding, too. */
  readonly open: () => Promise<Deps>
  /** Who may call the functions that are deployed. */
  readonly deployed: AsyncIterable<DeployedFinding>
}

/** Checks what can be checked without a change: one login per secret, one connection per consumer. Each problem comes with its remedy. */
export async function* examine({ config, local, open, deployed }: Examined): AsyncIterable<Finding> {
  if (local) yield* inspectFolders(config)
  yield await inspectAudit(config)
  for await (const one of deployed) yield callers(one)
  const deps = await open().catch((cause: unknown) => wrong('store', cause))
  if ('what' in deps) yield deps
  else yield* opened(deps, config)
}

function callers({ name, level, error }: DeployedFinding): Finding {
  const what = `function ${name}`
  if (error === undefined) return good(what, 'is called only by those to whom it was granted')
  return level === 'unknown' && error.code !== 'bad_config' ? { ...wrong(what, error), level: 'warning' } : wrong(what, error)
}

async function* opened(deps: Deps, config: Config): AsyncIterable<Finding> {
  const consumers = yield* configuration(deps, config)
  for (const key of consumers) yield route(deps, key)
  yield* companions(deps)
  const unread: Finding[] = []
  const noteUnread = (shown: string, cause: unknown): void => void unread.push(wrong(shown, cause))
  try {
    for await (const listed of deps.store.list({ managed: false }, noteUnread)) {
      yield* clock(deps, listed)
      if (Object.keys(listed.policy).length > 0) yield* secret(deps, listed.ref.shown)
    }
  } catch (cause) {
    yield wrong('store', listError(deps, cause)) // what was found before stays said
  }
  yield* unread
}

/** A store's own error, which nobody has explained yet. */
function listError({ store }: Deps, cause: unknown): RotationError {
  if (cause instanceof RotationError) return cause
  const code = store.classify(cause)
  return new RotationError(code, `The secrets could not be listed: ${messageOf(cause).replace(/\.$/, '')}.`, {
    cause,
    next: remedies[code],
  })
}

async function* configuration(deps: Deps, config: Config): AsyncGenerator<Finding, readonly string[]> {
  const what = config.configuration ?? 'KEYTURN_CONFIG'
  try {
    const { consumers, paused } = await deps.configuration()
    const keys = Object.keys(consumers)
    const says = config.configuration === undefined ? 'not set: there are no consumers' : counted(keys.length, 'consumer')
    const next = 'Set "paused" to false when rotations may start again.'
    yield paused ? { what, level: 'warning', says: 'rotations are paused: none starts', next } : good(what, says)
    return keys
  } catch (cause) {
    yield wrong(what, cause)
    return []
  }
}

async function route(deps: Deps, key: string): Promise<Finding> {
  const what = `consumer ${key}`
  try {
    const consumer = (await deps.configuration()).consumers[key]
    if (consumer === undefined) return good(what, 'is gone')
    const notifier = await deps.loadNotifier(consumer.kind)
    const found = await notifier.preflight(consumer, { env: deps.env, deadline: deps.env.now() + 30_000 })
    return findingOf(what, found, `${consumer.kind}: can be told`)
  } catch (cause) {
    return wrong(what, cause)
  }
}

/** Nothing for a configuration that cannot be read: that was reported already. */
async function* companions(deps: Deps): AsyncIterable<Finding> {
  try {
    for (const { name, found } of await inspectCompanions(deps)) yield findingOf(`companion ${name}`, found, 'can be written')
  } catch (cause) {
    if (!(cause instanceof RotationError)) throw cause
  }
}

function findingOf(what: string, found: Preflight, says: string): Finding {
  if (found.verdict === 'ok') return good(what, found.unproven === undefined ? says : `${says}, as far as can be asked: ${found.unproven}`)
  if (!('next' in found)) return { what, level: 'warning', says: found.why, next: 'Check that it can be reached from here.' }
  const level = found.verdict === 'refuse' ? 'wrong' : 'warning' // what may pass by itself is nobody's mistake
  return { what, level, ...optional('code', codeOfFound(found)), says: found.why, next: found.next }
}

/** A clock that is behind a time that it wrote itself breaks leases and grace. */
function* clock({ env }: Deps, { ref, publishedAt = 0 }: Listed): Iterable<Finding> {
  const aheadMs = publishedAt - env.now()
  if (aheadMs > clockMsMax)
    yield {
      what: `clock (${ref.shown})`,
      level: 'wrong',
      says: `the secret was published ${Math.round(aheadMs / 1000)} s in the future`,
      next: 'Set the clock of this machine (NTP) before you rotate anything.',
    }
}

/** Says what a rotation rewrites. Fields with one text are a warning: only a person knows which systems they are for. */
function tried(what: string, works: string, trial: Trial | undefined): Finding {
  if (trial === undefined) return good(what, works)
  const says = `${works}; a rotation rewrites ${trial.rewrites.join(', ')}`
  const [first] = warningsOf(trial)
  return first === undefined ? good(what, says) : { what, level: 'warning', says: `${says}. ${first.says}`, next: first.next }
}

async function* secret(deps: Deps, shown: string): AsyncIterable<Finding> {
  try {
    const found = await statusOf(deps, shown)
    yield await login(deps, shown, found)
    if (found.drift !== undefined) yield { what: shown, level: 'warning', says: shownDrift(found.drift), next: found.drift.next }
  } catch (cause) {
    yield met(shown, cause)
  }
}

const met = (shown: string, cause: unknown): Finding => wrong(shown, cause instanceof RotationError ? named(cause, shown) : cause)

async function login(deps: Deps, shown: string, { next, state, trial }: Status): Promise<Finding> {
  const bad = (says: string, command: 'recover' | 'status'): Finding => {
    return { what: shown, level: 'wrong', says, next: `Run keyturn ${command} ${shown}.` }
  }
  try {
    if (state.journal?.code !== undefined) return bad(`it is ${state.journal.code}`, 'recover')
    const looked = await verifyCurrent(deps, shown)
    if (looked.passwordAccepted === false) {
      const known = looked.why === undefined ? '' : `: ${looked.why.message}`
      return { ...bad(`the target refuses the current value${known}`, 'recover'), code: 'target_auth' }
    }
    const noSession = lookError(looked)
    if (noSession !== undefined) return wrong(shown, noSession)
    if (looked.expiry !== undefined) return { what: shown, level: 'warning', ...looked.expiry }
    const seen = shownLook(looked)
    if (next.do !== 'refuse') return tried(shown, seen, trial)
    if (next.code !== 'held') return { ...bad(`a rotation would be refused: ${next.why}`, 'status'), ...optional('next', next.next) }
    return tried(shown, `${seen}; a rotation is held: ${next.why}`, trial)
  } catch (cause) {
    return met(shown, cause)
  }
}
