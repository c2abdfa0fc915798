import { RotationError } from '../../core/errors.js'
import type { Retiring, SecretState } from '../../core/ports/store.js'
import type { Deps } from '../secret/deps.js'
import { withSecret } from '../secret/open.js'
import { entriesDue, identitiesOf } from '../secret/outgoing.js'
import type { Known } from '../secret/setup.js'
import { mayContinue } from './busy.js'
import type { Looked } from './gate.js'
import { carryOut, liveAs, type Retired, retireContext } from './retire.js'

/**
 * Ends the previous credential and its sessions at once, whoever still uses it. It skips the gate, and keeps the order of the steps. The audit log
 * records the reason. bad_event where there is nothing left to revoke; held while an open rotation may be about to use the account again.
 */
export async function revoke(deps: Deps, refText: string, reason: string): Promise<Retired> {
  return withSecret(deps, refText, { ways: 'back' }, async ({ tools, state, known }) =>
    revokePrevious({ tools, setup: await known(), state }, reason),
  )
}

async function revokePrevious(looked: Looked, reason: string): Promise<Retired> {
  const { tools, setup, state } = looked
  const { rotator } = setup
  const { shown } = state.ref
  assertRevocable(setup, state)
  const currentIds = state.current && (await identitiesOf(tools, setup, state, state.current.id))
  const [currentId] = currentIds ?? []
  if (currentId === undefined) throw nothingError(state)
  const entries = await entriesDue(tools, setup, state, currentIds)
  const entry = previousOf(entries, state)
  if (entry === undefined) return endOldSessions(looked, currentId, reason)
  const isNeeded = mayContinue(state) || (await liveAs(looked, entry)) !== undefined
  if (isNeeded) {
    const why = `A rotation of ${shown} is open and may be about to use ${entry.id} again.`
    throw new RotationError('held', why, { next: `keyturn status ${shown} shows it. Finish it first: keyturn rotate ${shown} --resume.` })
  }
  const noted = { ...state, journal: { ...state.journal, retiring: entries } }
  const end = rotator.sessions === undefined ? {} : { endSessions: true }
  const verdict = { forced: true, why: `revoked: ${reason}` }
  return carryOut({ tools, setup, state: noted }, entry, verdict, end)
}

function assertRevocable({ rotator }: Known, { journal, ref: { shown } }: SecretState): void {
  if (journal?.code !== undefined) {
    const why = `${shown} is stuck: what you would revoke may be the only credential that works.`
    throw new RotationError('stuck', why, { next: `Run keyturn recover ${shown} first.` })
  }
  if (rotator.older === undefined) return
  const why = `${shown} keeps its older keys because data may need them: there is nothing to revoke.`
  throw new RotationError('bad_event', why, {
    field: 'ref',
    next: `Re-encrypt, then run keyturn reencrypted ${shown} --key ….`,
  })
}

function previousOf(entries: readonly Retiring[], { previous }: SecretState): Retiring | undefined {
  if (previous === undefined) return entries.at(-1)
  return entries.find(({ version }) => version === previous.id)
}

/** Of a target with one slot. The rotation ended the outgoing credential; only sessions that were opened before are left. */
async function endOldSessions(looked: Looked, currentId: Retired['id'], reason: string): Promise<Retired> {
  const { setup, state } = looked
  const { sessions } = setup.rotator
  if (state.previous === undefined || sessions === undefined) throw nothingError(state)
  const context = await retireContext(looked)
  await sessions.end({ ...context, reason: `revoked: ${reason}` }, currentId)
  const why = 'the rotation replaced its outgoing password; older sessions are ended'
  return { id: currentId, state: 'retired', why }
}

const nothingError = ({ ref }: SecretState): RotationError =>
  new RotationError('bad_event', `${ref.shown} has no previous credential to revoke.`, {
    field: 'ref',
    next: `If the current one is compromised: keyturn rotate ${ref.shown} --emergency --reason …, then revoke again.`,
  })
