import { RotationError } from '../../core/errors.js'
import type { SecretState } from '../../core/ports/store.js'
import type { Deps } from '../secret/deps.js'
import { withSecret } from '../secret/open.js'
import { entriesDue, identitiesOf } from '../secret/outgoing.js'
import type { Known, Tools } from '../secret/setup.js'
import { carryOut, liveAs, type Retired, retireContext } from './retire.js'

/**
 * Ends the previous credential and its sessions at once, whoever still uses it: skips the gate, never the order. The reason stands in the audit
 * log. bad_event when there is nothing left to revoke, held while a rotation is open that may be about to use the account again.
 */
export async function revoke(deps: Deps, refText: string, reason: string): Promise<Retired> {
  return withSecret(deps, refText, { ways: 'back' }, async ({ tools, state, known }) => revokePrevious(tools, await known(), state, reason))
}

async function revokePrevious(tools: Tools, setup: Known, state: SecretState, reason: string): Promise<Retired> {
  const { rotator } = setup
  if (state.journal?.code !== undefined) {
    throw new RotationError('stuck', `${state.ref.shown} is stuck: what you would revoke may be the only credential that works.`, {
      next: `Run keyturn recover ${state.ref.shown} first.`,
    })
  }
  if (rotator.older !== undefined)
    throw new RotationError(
      'bad_event',
      `${state.ref.shown} keeps its older keys because data may need them: there is nothing to revoke.`,
      {
        field: 'ref',
        next: `Re-encrypt, then run keyturn reencrypted ${state.ref.shown} --key ….`,
      },
    )
  const currentIds = state.current && (await identitiesOf(tools, setup, state, state.current.id))
  const [currentId] = currentIds ?? []
  if (currentId === undefined) throw nothingError(state)
  const entries = await entriesDue(tools, setup, state, currentIds)
  const entry = state.previous === undefined ? entries.at(-1) : entries.find(({ version }) => version === state.previous?.id)
  if (entry === undefined) return endOldSessions(tools, setup, state, currentId, reason)
  if (isOpen(state) || (await liveAs(tools, setup, state, entry)) !== undefined) {
    throw new RotationError('held', `A rotation of ${state.ref.shown} is open, which may be about to use ${entry.id} again.`, {
      next: `Finish it first: keyturn rotate ${state.ref.shown} --resume.`,
    })
  }
  const noted = { ...state, journal: { ...state.journal, retiring: entries } }
  const end = rotator.sessions === undefined ? {} : { endSessions: true }
  return carryOut(tools, setup, noted, entry, { forced: true, why: `revoked: ${reason}` }, end)
}

/** A rotation of current that goes on may use the account again. */
const isOpen = ({ journal, pending, loose, current }: SecretState): boolean => {
  const open = journal?.rotation?.published === undefined ? journal?.rotation : undefined
  const mayGoOn = open !== undefined && (open.base === current?.id || current?.ours === open.token)
  return mayGoOn || pending?.hasValue === true || loose.some(({ base }) => base === current?.id)
}

/** One slot: the outgoing credential died with the rotation; what is left of it are sessions that were opened before. */
async function endOldSessions(
  tools: Tools,
  { rotator, ...setup }: Known,
  state: SecretState,
  currentId: Retired['id'],
  reason: string,
): Promise<Retired> {
  if (state.previous === undefined || rotator.sessions === undefined) throw nothingError(state)
  const context = await retireContext(tools, { ...setup, rotator }, state)
  await rotator.sessions.end({ ...context, reason: `revoked: ${reason}` }, currentId)
  return { id: currentId, state: 'retired', why: 'its outgoing password was replaced by the rotation; older sessions are ended' }
}

const nothingError = ({ ref }: SecretState): RotationError =>
  new RotationError('bad_event', `${ref.shown} has no previous credential that could be revoked.`, {
    field: 'ref',
    next: `If the current one is compromised: keyturn rotate ${ref.shown} --emergency --reason …, then revoke again.`,
  })
