import type { Code } from '../../../shared/core/ports/errors.js'
import type { Journal, OpenRotation, Retiring, SecretState, Staged, VersionInfo } from '../../../shared/core/ports/store.js'
import type { CredentialId, RotationRequest, SecretRef, Token, VersionId } from '../../../shared/core/ports/words.js'
import { storeKind } from '../../../shared/core/refs.js'
import type { Action, Facts } from '../../../shared/lifecycle/decide/action.js'

/** Beside every state that a row is for stand its neighbours: one thing is different, and another row must answer. */
export const ref: SecretRef = { store: storeKind('memory'), key: 'db', shown: 'memory:db', name: 'db' }
export const [base, other, kept] = ['v-base', 'v-other', 'v-kept'].map((id) => id as VersionId) as [VersionId, VersionId, VersionId]
export const [mine, theirs] = ['token-mine', 'token-theirs'].map((token) => token as Token) as [Token, Token]
export const hour = 3_600_000
export const now = 1000 * hour

export type Question = readonly [state: SecretState, request: RotationRequest, facts: Facts]
export interface Asked {
  readonly state?: Partial<SecretState>
  readonly request?: Partial<RotationRequest>
  readonly facts?: Partial<Facts>
}
/** An idle secret that was published long ago, asked now to rotate; and what differs from that. */
export const ask = ({ state = {}, request = {}, facts = {} }: Asked): Question => [
  { ref, current: version(base), publishedAt: 0, loose: [], drivenBy: 'engine', policy: {}, journal: null, rev: 'r', ...state },
  { kind: 'rotate', ref: ref.shown, at: now, ...request },
  { now, slots: 1, graceMs: hour, mints: false, journal: true, consumers: false, rollback: 'publish', ...facts },
]
export function version(id: VersionId, ours?: Token): VersionInfo {
  return { id, createdAt: 1, hasValue: true, ...(ours === undefined ? {} : { ours }) }
}
export const staged = (rest: Partial<Staged> = {}): Staged => ({ id: kept, createdAt: 2, hasValue: true, token: mine, base, ...rest })
export const journal = (rest: Partial<Journal>): Journal => ({ retiring: [], ...rest })
export const rotation = (rest: Partial<OpenRotation> = {}): Journal =>
  journal({ rotation: { token: mine, kind: 'rotate', base, holder: 'h', attempt: 3, leaseUntil: 0, refusals: 0, ...rest } })
export const oldest = 'old' as CredentialId
export function entry(state: Retiring['state'], notBefore = now - 1, id: CredentialId = oldest): Retiring {
  return { id, version: other, since: 0, notBefore, state }
}
export const retiring = (...entries: Retiring[]): Journal => journal({ retiring: entries })

export const go = { do: 'go', kind: 'rotate', base, refusals: 0 } as const
export const begin = { ...go, from: 'create' } as const
export const done = { do: 'done', version: base } as const
export const refuse = (code: Code, why: RegExp) => ({ do: 'refuse', code, why }) as const
export type Expected = Exclude<Action, { do: 'refuse' }> | ReturnType<typeof refuse>

export type Beside = readonly [what: string, ask: Asked, row: string]
/** Row and what it is about; a state that hits it; and those one step beside it, with the row that answers there. */
export type RowCase = readonly [rowAndWhat: string, ask: Asked, action: Expected, ...beside: Beside[]]

export const service = (step: RotationRequest['step'] | null, state: Partial<SecretState> = {}, facts: Partial<Facts> = {}): Asked => ({
  state: { drivenBy: 'service', pending: staged(), ...state },
  request: { token: mine, ...(step ? { step } : {}) },
  facts,
})
export const empty = { pending: staged({ hasValue: false }) }
export const pair = { slots: 2 } as const
export const justPublished = { previous: version(other), publishedAt: now - hour + 1 }
export const { current: _, ...withoutCurrent } = ask({})[0]
