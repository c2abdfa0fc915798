import type { Look, Row } from '../action.js'
import { hold, refuse, retireFirst, tokenOf } from './common.js'

const pendingOfToken = ({ state, request }: Look): boolean => state.pending !== undefined && state.pending.token === request.token

/** The platform gives the token, serialises the steps and names one step in each call. */
export const serviceRows: readonly Row[] = [
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
    answer: (l) => hold(l) ?? { do: 'go', from: 'create', kind: 'rotate', ...tokenOf(l), base: l.base, refusals: 0, ...retireFirst(l) },
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
            refusals: 0,
          }
        : undefined,
  },
  {
    id: '7p',
    state: 'a platform drives, and its own rotation has a value pending',
    request: 'put, rollback, emergency',
    when: (l) => !l.service && l.state.drivenBy === 'service' && l.state.pending?.hasValue === true && l.open === undefined,
    answer: () =>
      refuse(
        'held',
        'the platform is in the middle of a rotation',
        'Wait until keyturn status <ref> shows no pending value. If it does not end, keyturn recover <ref> says what to do.',
      ),
  },
  {
    id: '7s',
    state: 'service',
    request: 'without a step',
    when: (l) => l.service,
    answer: () => refuse('bad_event', 'the platform drives this rotation and names one step in each call; start it there'),
  },
]
