import type { Row } from './action.js'
import { refuse } from './rows/common.js'
import { idle, idleRows } from './rows/idle.js'
import { openRows } from './rows/open.js'
import { serviceRows } from './rows/service.js'

const stuck = 'in an earlier rotation the target accepted neither the current nor the pending credential, or refused three values'

/** The table; the numbers are those of docs/design.md. claim answers row 12, another holder's live lease. */
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
    answer: () => refuse('stuck', stuck),
  },
  ...serviceRows,
  ...openRows,
  ...idleRows.map((row): Row => ({ ...row, when: (look) => !look.service && idle(look) && row.when(look) })),
]
