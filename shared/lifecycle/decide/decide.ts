import { optional } from '../../core/optional.js'
import type { SecretView } from '../../core/ports/store.js'
import type { RotationRequest } from '../../core/ports/words.js'
import type { Action, Facts, Look } from './action.js'
import { rows } from './table.js'

/** Decides what to do next. Pure: one table, and the first row that matches wins. The conditional writes of the ports guard the rest. */
export function decide(state: SecretView, request: RotationRequest, facts: Facts): Action & { readonly row: string } {
  const rotation = state.journal?.rotation
  const open = rotation && rotation.published === undefined ? rotation : undefined
  const look: Look = {
    state,
    request,
    facts,
    service: state.drivenBy === 'service' && !byHand(request, open !== undefined),
    base: state.current?.id ?? null,
    ...optional('open', open),
  }
  for (const row of rows) {
    const action = row.when(look) ? row.answer(look) : undefined
    if (action) return { ...action, row: row.id }
  }
  return { do: 'refuse', code: 'internal', why: 'no row of the table matched', row: 'none' }
}

/** Whether our own engine acts although a platform drives: a person rolls back, puts or hurries, or our engine has begun the rotation itself. */
const byHand = ({ kind, step }: RotationRequest, open: boolean): boolean =>
  step === undefined && (open || ['put', 'rollback', 'emergency'].includes(kind))
