import type { Env } from '../../core/ports/env.js'
import type { SecretState } from '../../core/ports/store.js'
import type { SecretRef, VersionId } from '../../core/ports/words.js'
import { overtakenError } from '../../core/unfenced/errors.js'
import { type Line, runOf } from '../../core/unfenced/line.js'
import { aliasesKey, confirmed, ourAliases, pointedBy } from './aliases.js'
import { type Api, isAbsent, isUnreadable } from './api.js'
import { dropStaged } from './calls.js'
import { enabledOf, lineOf } from './line.js'
import type { SecretName } from './names.js'
import { readPlace } from './place.js'
import { stagedOf } from './reader.js'
import { numberOf } from './staged.js'
import type { Secret } from './wire.js'

/** What is done away with, and what was seen of its secret. */
export interface Disposal {
  readonly api: Api
  readonly env: Env
  readonly ref: SecretRef
  readonly name: SecretName
  readonly version: VersionId
  readonly state: SecretState
}

/**
 * Makes a version unreadable, with its copies and what is still staged of it. A version that an alias of somebody else names stays: whoever reads by that
 * alias would get nothing. Where the secret delays destruction, the version is destroyed, and can be had back until then; else it is disabled.
 * conflict for what consumers read, and for what is pending.
 */
export async function dispose(work: Disposal): Promise<void> {
  const { api, name, version, state, ref } = work
  const number = numberOf(version)
  const isRead = readNow(state)
  if (state.pending?.id === version || (number !== undefined && isRead(number))) throw overtakenError(ref)
  if (number === undefined) return
  const line = lineOf(api, name, await enabledOf(api, name))
  const run = (await runOf(line, number)).filter((one) => !isRead(one))
  await dropCopies(work, line, number)
  const secret = await secretNow(work, run)
  for (const one of run) await end(work, secret, one)
  await tidyPlace(work)
}

/** Tells what consumers read: the newest versions, or, where they go by the alias, the one that it names. */
function readNow({ current, policy }: SecretState): (number: number) => boolean {
  const last = current === undefined ? undefined : numberOf(current.id)
  if (last === undefined) return () => false
  return policy[aliasesKey] === 'only' ? (number) => number === last : (number) => number >= last
}

/** A copy that a crash left in the staging place would be taken for a new value once its version is gone. */
async function dropCopies({ api, name, state }: Disposal, line: Line, number: number): Promise<void> {
  const found = await line.look(number)
  const place = typeof found === 'string' ? undefined : await readPlace(api, name)
  if (place === undefined || typeof found === 'string') return
  const staged = await stagedOf(api, name, place.journal)
  for (const { id, mark } of staged) if (mark === found.mark && id !== state.pending?.id) await dropStaged(api, name, id)
}

/**
 * The secret as it is at this moment: an older answer would not show an alias that somebody has made since. The same write takes our alias of the
 * previous version away where it names one that goes. conflict where our alias of the current one names one.
 */
async function secretNow({ api, name, ref }: Disposal, run: readonly number[]): Promise<Secret> {
  const secret = await api.get(name)
  const pointed = pointedBy(secret, ref, name)
  if (pointed !== undefined && run.includes(pointed)) throw overtakenError(ref)
  const { [ourAliases.previous]: previous, ...aliases } = secret.aliases
  if (previous === undefined || !run.includes(Number(previous)) || namedByOthers(secret, Number(previous)) !== undefined)
    return confirmed(api, name, secret)
  return api.update(name, secret.etag, { aliases })
}

const namedByOthers = ({ aliases }: Secret, number: number): string | undefined =>
  Object.entries(aliases).find(([alias, at]) => alias !== ourAliases.previous && Number(at) === number)?.[0]

async function end({ api, env, ref, name }: Disposal, secret: Secret, number: number): Promise<void> {
  const alias = namedByOthers(secret, number)
  if (alias !== undefined) return env.log('version_kept', { ref: ref.shown, version: number, alias })
  await unlessGone(secret.destroysLater ? api.destroy(name, number) : api.disable(name, number))
}

/** A change of a version that is not there any more, or that somebody else has destroyed at the same moment, is done. */
async function unlessGone(change: Promise<void>): Promise<void> {
  try {
    await change
  } catch (cause) {
    if (!isAbsent(cause) && !isUnreadable(cause)) throw cause
  }
}

/** A disabled version costs as much as an enabled one. What was published or given up before current was made is never needed again. */
async function tidyPlace({ api, name, state }: Disposal): Promise<void> {
  const place = await readPlace(api, name)
  if (place === undefined) return
  for await (const { number, createdAt } of api.versions(place.name, 'disabled'))
    if (createdAt < state.publishedAt) await unlessGone(api.destroy(place.name, number))
}
