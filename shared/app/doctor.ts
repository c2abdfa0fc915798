import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { counted } from '../core/counted.js'
import { diskError } from '../core/disk-error.js'
import { messageOf, RotationError, systemCodeOf } from '../core/errors.js'
import { optional } from '../core/optional.js'
import type { Code } from '../core/ports/errors.js'
import type { Preflight } from '../core/ports/notifier.js'
import type { Listed } from '../core/ports/store.js'
import { remedies } from '../core/remedies.js'
import { inspectCompanions } from '../lifecycle/consumers/companions.js'
import { codeOfFound } from '../lifecycle/consumers/preflight.js'
import { statusOf } from '../lifecycle/fleet/status.js'
import { lookError, shownLook, verifyCurrent } from '../lifecycle/secret/adopt.js'
import type { Deps } from '../lifecycle/secret/deps.js'
import { named, type Trial, warningsOf } from '../lifecycle/secret/trial.js'
import { othersMayWrite } from '../stores/file/home.js'
import { checkAudit } from './audit-file.js'
import type { Config } from './config.js'

/** One thing that was examined. Only `wrong` makes the command fail. */
export interface Finding {
  readonly what: string
  readonly level: 'good' | 'warning' | 'wrong'
  readonly says: string
  /** The code of the error that was met, if there was one. */
  readonly code?: Code
  /** The field or the variable that this error names, if it names one. */
  readonly field?: string
  /** What to do about it; absent if it is good. */
  readonly next?: string
}

const good = (what: string, says: string): Finding => ({ what, level: 'good', says })
const clockMsMax = 60_000

/** What doctor examines. `local`: the store, or that of the configuration, is a folder of this machine; else there need be none. */
export interface Examined {
  readonly config: Config
  readonly local: boolean
  /** Asked for once the folders were looked at: a store that cannot be opened is a finding, too. */
  readonly open: () => Promise<Deps>
}

/** Checks what can be checked without a change: one login per secret, one connection per consumer. Each problem comes with its remedy. */
export async function* examine({ config, local, open }: Examined): AsyncIterable<Finding> {
  if (local) yield* folders(config)
  yield await audit(config)
  const deps = await open().catch((cause: unknown) => wrong('store', cause))
  if ('what' in deps) yield deps
  else yield* opened(deps, config)
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
      if (Object.keys(listed.policy).length > 0) yield await secret(deps, listed.ref.shown)
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

const wrong = (what: string, cause: unknown): Finding => {
  if (!(cause instanceof RotationError)) throw cause
  return {
    what,
    level: 'wrong',
    code: cause.code,
    ...optional('field', cause.field),
    says: `${cause.code}: ${cause.message}`,
    next: cause.next,
  }
}

/** Checks permissions: the owner can write, nobody else may, and nobody else may read. */
async function* folders({ home, key, keyFile }: Config): AsyncIterable<Finding> {
  for (const path of key ? [home] : [home, keyFile]) yield await permissions(path)
}

async function permissions(path: string): Promise<Finding> {
  try {
    const found = await stat(path)
    await access(path, constants.R_OK | constants.W_OK)
    const others = othersMayWrite(path, found)
    if (others !== undefined) return { what: path, level: 'wrong', ...others }
    if ((found.mode & 0o077) === 0) return good(path, 'only its owner may read it')
    const says = `others may read it (mode ${(found.mode & 0o777).toString(8)})`
    return { what: path, level: 'wrong', says, next: `Run chmod go= ${path}.` }
  } catch (cause) {
    const missing = { code: 'bad_config', next: 'Run keyturn init, or name the folder with --home or KEYTURN_HOME.' } as const
    return wrong(path, diskError(cause, { path, tried: 'used', misnamed: missing }))
  }
}

async function audit({ audit: path }: Config): Promise<Finding> {
  if (path === 'stderr') return good('audit log', 'goes to stderr')
  try {
    const { records, broken } = await checkAudit(path)
    await access(path, constants.W_OK)
    if (broken.length === 0) return good(path, `${counted(records, 'record')}, none changed`)
    const says = `line ${broken[0]} was changed, or a line before it is missing`
    return { what: path, level: 'wrong', says, next: 'Run keyturn audit verify, and compare the log with a backup.' }
  } catch (cause) {
    return noLog(path, cause)
  }
}

/** A log that does not exist yet is fine where it can be made. */
async function noLog(path: string, cause: unknown): Promise<Finding> {
  const folder = dirname(path)
  try {
    if (systemCodeOf(cause) !== 'ENOENT') throw cause
    await access(folder, constants.W_OK)
    return good(path, 'no record yet')
  } catch (met) {
    if (systemCodeOf(met) === 'ENOENT') return good(path, 'no record yet: its folder is made with the first one')
    const found = wrong(path, diskError(met, { path, tried: 'written' }))
    return { ...found, says: `${found.says} No change is possible.` }
  }
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
  if (found.verdict === 'ok') return good(what, says)
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

async function secret(deps: Deps, shown: string): Promise<Finding> {
  const bad = (says: string, command: 'recover' | 'status'): Finding => {
    return { what: shown, level: 'wrong', says, next: `Run keyturn ${command} ${shown}.` }
  }
  try {
    const { next, state, trial } = await statusOf(deps, shown)
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
    return wrong(shown, cause instanceof RotationError ? named(cause, shown) : cause)
  }
}
