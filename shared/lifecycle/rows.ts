import { showDuration } from '../core/policy/index.js'
import type { CredentialId } from '../core/ports/words.js'
import { type Action, type Look, occupied, type Row } from './action.js'

const refuse = (code: Extract<Action, { do: 'refuse' }>['code'], why: string): Action => ({ do: 'refuse', code, why })
const is =
  (...kinds: string[]) =>
  ({ request }: Look) =>
    kinds.includes(request.kind)
const starts = is('rotate', 'put', 'emergency')
const pendingOfToken = ({ state, request }: Look): boolean => state.pending !== undefined && state.pending.token === request.token

/** An issuer with a full cap retires the oldest undeclared credential (or one whose retiring was begun) before it makes a new one. */
function free({ state, facts }: Look): { free?: CredentialId } {
  const retiring = state.journal?.retiring ?? []
  if (!facts.mints || facts.slots === null || 1 + retiring.length < facts.slots) return {}
  const oldest = retiring
    .filter(({ state: phase, notBefore }) => phase === 'armed' || (phase === 'undeclared' && notBefore <= facts.now))
    .sort((a, b) => a.notBefore - b.notBefore)[0]
  return oldest ? { free: oldest.id } : {}
}

/** Nothing to go on with: a rotation of another base lost the race, and a put that died before its value was stored cannot be finished. */
const idle = ({ open, base, state, request }: Look): boolean =>
  open === undefined || open.base !== base || (open.kind === 'put' && state.pending === undefined && request.kind !== 'put')

/** Rows 23 to 26: what holds a new rotation. */
function hold(look: Look): Action | undefined {
  const { state, request, facts } = look
  if (facts.frozen !== undefined && request.kind === 'rotate') return refuse('held', facts.frozen)
  if (facts.journal && facts.targets && (state.journal?.announced ?? null) !== look.base)
    return refuse('held', 'the last publication is not announced yet')
  const graceEnd = state.publishedAt + facts.graceMs
  if (facts.slots !== 1 && state.previous !== undefined && facts.now < graceEnd) {
    return refuse('held', `the outgoing credential stays valid for another ${showDuration(Math.max(1000, graceEnd - facts.now))}`)
  }
  const used = occupied(state.journal?.retiring ?? [], facts.now)
  if (facts.slots !== null && facts.slots > 1 && 1 + used >= facts.slots)
    return refuse('held', `all ${facts.slots} credentials are still in use`)
  return undefined
}

const serviceRows: readonly Row[] = [
  {
    id: '1',
    state: 'driven by the service; the token is current',
    request: 'any step',
    when: (l) => l.service && l.request.token !== undefined && l.state.current?.ours === l.request.token,
    answer: (l) => (l.state.current ? { do: 'done', version: l.state.current.id } : undefined),
  },
  {
    id: '2',
    state: 'service; pending absent or of another token',
    request: 'any step',
    when: (l) => l.service && !pendingOfToken(l),
    answer: () => refuse('token_spent', 'the pending version of this token is gone or belongs to another rotation'),
  },
  {
    id: '3',
    state: 'service; pending without a value',
    request: 'create',
    when: (l) => l.service && l.state.pending?.hasValue === false && l.request.step === 'create',
    answer: (l) => hold(l) ?? { do: 'go', from: 'create', kind: 'rotate', ...tokenOf(l), base: l.base, rejects: 0, ...free(l) },
  },
  {
    id: '4',
    state: 'service; pending without a value',
    request: 'set, finish',
    when: (l) => l.service && l.state.pending?.hasValue === false && l.request.step !== 'test',
    answer: () => refuse('bad_event', 'this step was called before createSecret had stored a value'),
  },
  {
    id: '5',
    state: 'service; pending without a value',
    request: 'test',
    when: (l) => l.service && l.state.pending?.hasValue === false,
    answer: () => ({ do: 'check' }),
  },
  {
    id: '6',
    state: 'service; pending with a value',
    request: 'create',
    when: (l) => l.service && l.request.step === 'create',
    answer: (l) => (l.state.pending ? { do: 'done', version: l.state.pending.id } : undefined),
  },
  {
    id: '7',
    state: 'service; pending with a value',
    request: 'set, test, finish: exactly that step, no hold',
    when: (l) => l.service && l.request.step !== undefined,
    answer: ({ state, request }) =>
      state.pending && request.step
        ? {
            do: 'go',
            from: request.step,
            kind: 'rotate',
            token: state.pending.token,
            base: state.pending.base,
            version: state.pending.id,
            rejects: 0,
          }
        : undefined,
  },
  {
    id: '7s',
    state: 'service',
    request: 'without a step',
    when: (l) => l.service,
    answer: () => refuse('bad_event', 'the platform drives this rotation and names one step a call; start it there'),
  },
]

const tokenOf = ({ request }: Look): { token?: NonNullable<Look['request']['token']> } => (request.token ? { token: request.token } : {})

const openRows: readonly Row[] = [
  {
    id: '8',
    state: 'current came from the token asked for',
    request: 'rotate, rollback, put, emergency',
    when: (l) =>
      l.request.kind !== 'resume' &&
      l.request.token !== undefined &&
      (l.state.current?.ours === l.request.token || publishedToken(l) === l.request.token),
    answer: (l) => (l.state.current ? { do: 'done', version: l.state.current.id } : undefined),
  },
  {
    id: '9',
    state: 'a rotation was published, but current is still its base',
    request: 'any',
    when: (l) => l.state.journal?.rotation?.published !== undefined && l.state.journal.rotation.base === l.base,
    answer: () => refuse('conflict', 'the store answered with an older state'),
  },
  {
    id: '10',
    state: 'open; its value is current already',
    request: 'any: bookkeeping',
    when: (l) => l.open !== undefined && l.state.current?.ours === l.open.token,
    answer: (l) => continueOpen(l, 'finish', l.open?.staged ?? l.state.current?.id),
  },
  {
    id: '11',
    state: 'open; intent to publish stands, pending there',
    request: 'any: only finish may run',
    when: (l) => l.open?.intent === true && l.state.pending !== undefined,
    answer: (l) => continueOpen(l, 'finish', l.state.pending?.id),
  },
  {
    id: '13',
    state: 'open; nothing named, but a loose value of its token',
    request: 'any',
    when: (l) => l.open !== undefined && l.state.pending === undefined && l.state.loose.some((staged) => staged.token === l.open?.token),
    answer: (l) => ({
      do: 'probe',
      versions: l.state.loose.filter((staged) => staged.token === l.open?.token),
      leftover: l.open?.base !== l.base,
    }),
  },
  {
    id: '14',
    state: 'open on current; pending there',
    request: "any, with the rotation's token",
    when: (l) => l.open?.base === l.base && l.state.pending !== undefined,
    answer: (l) => continueOpen(l, l.open?.kind === 'put' ? 'test' : 'set', l.state.pending?.id),
  },
  {
    id: '15',
    state: 'open on current; no value yet',
    request: "any, with the rotation's token",
    when: (l) => l.open?.base === l.base && (l.open?.kind !== 'put' || l.request.kind === 'put'),
    answer: (l) => continueOpen(l, 'create', undefined),
  },
  {
    id: '16',
    state: 'open on another base; pending there',
    request: 'any',
    when: (l) => l.open !== undefined && l.open.base !== l.base && l.state.pending !== undefined,
    answer: (l) => (l.state.pending ? { do: 'probe', versions: [l.state.pending], leftover: true } : undefined),
  },
  // 17: open on another base without a value: falls through, with `over` = its token.
  {
    id: '18',
    state: 'a loose value whose base is current (the journal was wiped)',
    request: 'any',
    when: (l) => l.state.loose.some((staged) => staged.base === l.base),
    answer: (l) => ({ do: 'probe', versions: l.state.loose.filter((staged) => staged.base === l.base), leftover: false, ...over(l) }),
  },
]

const publishedToken = ({ state }: Look) => (state.journal?.rotation?.published === undefined ? undefined : state.journal.rotation.token)
const over = ({ open }: Look) => (open ? { over: open.token } : {})

function continueOpen(
  look: Look,
  from: 'create' | 'set' | 'test' | 'finish',
  version: Extract<Action, { do: 'go' }>['version'],
): Action | undefined {
  const { open } = look
  if (!open) return undefined
  const value = open.kind === 'put' ? { value: 'given' as const } : open.kind === 'rollback' ? { value: 'previous' as const } : {}
  const rest = from === 'create' ? { ...free(look), ...value } : {}
  return {
    do: 'go',
    from,
    kind: open.kind,
    token: open.token,
    base: open.base,
    rejects: open.rejects,
    ...(version === undefined ? {} : { version }),
    ...rest,
  }
}

const begin = (look: Look, extra: { value?: 'previous' | 'given' } = {}): Action => ({
  do: 'go',
  from: 'create',
  kind: look.request.kind,
  ...tokenOf(look),
  base: look.base,
  rejects: 0,
  ...over(look),
  ...free(look),
  ...extra,
})

/** A value that was created and never replaced answers no request to rotate. */
const rotatedBefore = ({ state }: Look): boolean => state.previous !== undefined || state.current?.ours !== undefined

const idleRows: readonly Row[] = [
  {
    id: '19',
    state: 'idle',
    request: 'resume',
    when: is('resume'),
    answer: (l) => (l.state.current ? { do: 'done', version: l.state.current.id } : undefined),
  },
  {
    id: '20',
    state: 'idle; published at or after the request was made',
    request: 'rotate, emergency',
    when: (l) => is('rotate', 'emergency')(l) && rotatedBefore(l) && l.state.publishedAt >= l.request.at,
    answer: (l) => (l.state.current ? { do: 'done', version: l.state.current.id } : undefined),
  },
  {
    id: '21',
    state: 'idle; previous gone, armed, or refused by the target and not to be applied again',
    request: 'rollback',
    when: is('rollback'),
    answer: ({ state, facts }) => {
      if (state.previous === undefined) return refuse('bad_event', 'there is no previous version to go back to')
      if ((state.journal?.retiring ?? []).some((entry) => entry.version === state.previous?.id && entry.state === 'armed')) {
        return refuse('held', 'the previous credential is being retired')
      }
      return facts.previousAccepted === false && facts.rollback !== 'reapply'
        ? refuse('bad_event', 'the previous credential is no longer accepted')
        : undefined
    },
  },
  { id: '22', state: 'idle', request: 'rollback: no hold', when: is('rollback'), answer: (l) => begin(l, { value: 'previous' }) },
  {
    id: '23-26',
    state: 'idle; window, freeze, announcement, grace or slots hold it',
    request: 'rotate, put',
    when: is('rotate', 'put'),
    answer: hold,
  },
  {
    id: '28',
    state: 'idle (27: an emergency skips 23 to 26)',
    request: 'rotate, put, emergency',
    when: starts,
    answer: (l) => begin(l, is('put')(l) ? { value: 'given' } : {}),
  },
]

/** The table; numbers are those of docs/design.md. Row 12, another holder's live lease, is answered by claim. */
export const rows: readonly Row[] = [
  {
    id: '0',
    state: 'no current value',
    request: 'all',
    when: (l) => l.state.current?.hasValue !== true,
    answer: () => refuse('not_found', 'the secret has no current value'),
  },
  {
    id: '0s',
    state: 'stuck',
    request: 'all',
    when: (l) => l.state.journal?.code === 'stuck',
    answer: () =>
      refuse('stuck', 'an earlier rotation found neither the current nor the pending credential accepted, or had three values refused'),
  },
  ...serviceRows,
  ...openRows,
  ...idleRows.map((row): Row => ({ ...row, when: (look) => !look.service && idle(look) && row.when(look) })),
]
