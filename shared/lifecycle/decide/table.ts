import { optional } from '../../core/optional.js'
import { remedyByAnswer } from '../../core/remedies.js'
import type { Look, Row } from './action.js'
import { refuse, tokenOf } from './rows/common.js'
import { idle, idleRows } from './rows/idle.js'
import { openRows } from './rows/open.js'
import { serviceRows } from './rows/service.js'

const stuck = 'in an earlier rotation the target accepted neither the current nor the pending credential, or refused three values'
/** The same where no login can try a value. */
const stuckByAnswer =
  'in an earlier rotation the target refused a value, or somebody wrote past Keyturn, and no login can tell which value the target has now'

const isStuck = ({ state }: Look): boolean => state.journal?.code === 'stuck'

/** Whose place a put on a stuck secret takes: the open rotation's, or that of a value which the platform's own rotation has pending. */
function replacedBy({ state, open, request }: Look) {
  const pending = state.pending?.hasValue === true ? state.pending.token : undefined
  const before = open?.token ?? pending
  return before === request.token ? {} : optional('replaces', before)
}

/** Nothing can be changed where nothing is: a put needs a value that it can come after. */
const noValue = 'Add its first version, or enable one again, with the tools of its store; then run the same command again.'

/** To add a version would help nobody: the alias would still name the other one. */
const unreadableAlias =
  'Enable that version again, or make the alias current name one that works. If it is destroyed, keyturn recover <ref> tries the older ones and names the one safe thing to do.'

const disabledVersion =
  "Enable that version again, or write a new value with the platform's own tools: until then whoever reads the secret gets nothing."

/** The table; the numbers are those of docs/design.md. claim answers row 12, another holder's live lease. */
export const rows: readonly Row[] = [
  {
    id: '0l',
    state: 'the staging place is gone',
    request: 'all',
    when: (l) => l.state.placeLost === true,
    answer: ({ facts }) =>
      refuse(
        'stuck',
        'its staging place is gone, with everything in it',
        `keyturn recover <ref> --yes makes it again, and ${facts.byAnswer ? 'sets the current value again' : 'tries every stored value once'}.`,
      ),
  },
  {
    id: '0',
    state: 'no current value',
    request: 'all',
    when: (l) => l.state.current?.hasValue !== true,
    answer: ({ state: { current, pointer } }) => {
      if (current === undefined) return refuse('not_found', 'the secret has no current value', noValue)
      if (pointer === undefined) return refuse('damaged', 'the version that consumers read is disabled', disabledVersion)
      return refuse('not_found', `version ${current.id}, which the alias of what is current names, cannot be read`, unreadableAlias)
    },
  },
  {
    id: '0p',
    state: 'stuck',
    request: 'put of a value that one login can prove; also while a platform has a value pending',
    when: (l) => isStuck(l) && l.request.kind === 'put' && l.request.step === undefined && l.facts.proves === true,
    answer: (l) => ({
      do: 'prove',
      begin: { do: 'go', from: 'create', kind: 'put', ...tokenOf(l), base: l.base, refusals: 0, value: 'supplied', ...replacedBy(l) },
    }),
  },
  {
    id: '0s',
    state: 'stuck',
    request: 'all others',
    when: isStuck,
    answer: ({ facts }) => (facts.byAnswer ? refuse('stuck', stuckByAnswer, remedyByAnswer) : refuse('stuck', stuck)),
  },
  ...serviceRows,
  ...openRows,
  ...idleRows.map((row): Row => ({ ...row, when: (look) => !look.service && idle(look) && row.when(look) })),
]
