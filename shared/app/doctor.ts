import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RotationError, systemCodeOf } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { Code } from '../core/ports/errors.js'
import type { Preflight } from '../core/ports/notifier.js'
import type { Listed } from '../core/ports/store.js'
import { inspectCompanions } from '../lifecycle/consumers/companions.js'
import { statusOf } from '../lifecycle/fleet/status.js'
import { lookError, shownLook, verifyCurrent } from '../lifecycle/secret/adopt.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { type Trial, warningsOf } from '../lifecycle/secret/trial.js'
import { checkAudit } from './audit-file.js'
import type { Config } from './config.js'

/** One thing that was examined. Only `wrong` makes the command fail. */
export interface Finding {
  readonly what: string
  readonly level: 'good' | 'warning' | 'wrong'
  readonly says: string
  /** The code of the error that was met, if there was one. */
  readonly code?: Code
  /** What to do about it; absent if it is good. */
  readonly next?: string
}

const good = (what: string, says: string): Finding => ({ what, level: 'good', says })
const clockMsMax = 60_000

/** Checks what can be checked without a change: one login per secret, one connection per consumer. Each problem comes with its remedy. */
export async function* examine(deps: Deps, config: Config): AsyncIterable<Finding> {
  yield* folders(config)
  yield await audit(config)
  const consumers = yield* configuration(deps, config)
  for (const key of consumers) yield route(deps, key)
  yield* companions(deps)
  const unread: Finding[] = []
  const noteUnread = (shown: string, cause: unknown): void => void unread.push(wrong(shown, cause))
  for await (const listed of deps.store.list({ managed: false }, noteUnread)) {
    yield* clock(deps, listed)
    if (Object.keys(listed.policy).length > 0) yield await secret(deps, listed.ref.shown)
  }
  yield* unread
}

const wrong = (what: string, cause: unknown): Finding => {
  if (!(cause instanceof RotationError)) throw cause
  return { what, level: 'wrong', code: cause.code, says: `${cause.code}: ${cause.message}`, next: cause.next }
}

/** Checks permissions: the owner can write, and nobody else may read. */
async function* folders({ home, key, keyFile }: Config): AsyncIterable<Finding> {
  for (const path of key ? [home] : [home, keyFile]) yield await permissions(path)
}

async function permissions(path: string): Promise<Finding> {
  try {
    const { mode } = await stat(path)
    await access(path, constants.R_OK | constants.W_OK)
    if ((mode & 0o077) === 0) return good(path, 'only its owner may read it')
    const says = `others may read it (mode ${(mode & 0o777).toString(8)})`
    return { what: path, level: 'wrong', says, next: `Run chmod go= ${path}.` }
  } catch (cause) {
    const code = systemCodeOf(cause)
    if (code === undefined) throw cause
    const says = `it cannot be read and written (${code})`
    return { what: path, level: 'wrong', says, next: 'Run keyturn init, or correct its permissions.' }
  }
}

async function audit({ audit: path }: Config): Promise<Finding> {
  if (path === 'stderr') return good('audit log', 'goes to stderr')
  try {
    await access(dirname(path), constants.W_OK)
    const { records, broken } = await checkAudit(path)
    if (broken.length === 0) return good(path, `${records} records, none changed`)
    const says = `line ${broken[0]} was changed, or a line before it is missing`
    return { what: path, level: 'wrong', says, next: 'Run keyturn audit verify, and compare the log with a backup.' }
  } catch (cause) {
    const code = systemCodeOf(cause)
    if (code === undefined) throw cause
    if (code === 'ENOENT') return good(path, 'no record yet')
    const says = `it cannot be written (${code}): no change is possible`
    return { what: path, level: 'wrong', says, next: 'Correct the permissions of its folder, or set KEYTURN_AUDIT.' }
  }
}

async function* configuration(deps: Deps, config: Config): AsyncGenerator<Finding, readonly string[]> {
  const what = config.configuration ?? 'KEYTURN_CONFIG'
  try {
    const { consumers, paused } = await deps.configuration()
    const keys = Object.keys(consumers)
    const says = config.configuration === undefined ? 'not set: there are no consumers' : `${keys.length} consumers`
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
  if (found.verdict === 'ok') return good(what, says)
  return 'next' in found
    ? { what, level: 'wrong', says: found.why, next: found.next }
    : { what, level: 'warning', says: found.why, next: 'Check that it can be reached from here.' }
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

async function secret(deps: Deps, shown: string): Promise<Finding> {
  const bad = (says: string, command: 'recover' | 'status'): Finding => {
    return { what: shown, level: 'wrong', says, next: `Run keyturn ${command} ${shown}.` }
  }
  try {
    const { next, state, trial } = await statusOf(deps, shown)
    if (state.journal?.code !== undefined) return bad(`it is ${state.journal.code}`, 'recover')
    const looked = await verifyCurrent(deps, shown)
    if (looked.passwordAccepted === false) return { ...bad('the target refuses the current value', 'recover'), code: 'target_auth' }
    const noSession = lookError(looked)
    if (noSession !== undefined) return wrong(shown, noSession)
    const seen = shownLook(looked)
    if (next.do !== 'refuse') return tried(shown, seen, trial)
    if (next.code !== 'held') return { ...bad(`a rotation would be refused: ${next.why}`, 'status'), ...optional('next', next.next) }
    return tried(shown, `${seen}; a rotation is held: ${next.why}`, trial)
  } catch (cause) {
    return wrong(shown, cause)
  }
}
