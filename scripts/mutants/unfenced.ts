import type { Mutant } from './mutant.js'

const line = 'shared/core/unfenced/line.ts'
const view = 'shared/core/unfenced/view.ts'
const writes = 'shared/core/unfenced/writes.ts'
const notes = 'shared/core/unfenced/notes.ts'
const order = 'shared/core/unfenced/unordered.ts'
const contested = 'shared/lifecycle/consumers/contested.ts'
const rules = ['core/unfenced.test.ts']
const traces = ['lifecycle/traces-unfenced.test.ts', 'lifecycle/traces-publish.test.ts']
const orderRules = ['core/unordered.test.ts']
const unordered = ['lifecycle/traces-unordered.test.ts']
const place = ['lifecycle/traces-place.test.ts']

/** One rule of stores whose writes have no condition, in one file. */
const one = (name: string, file: string, from: string, to: string, tests: readonly string[]): Mutant => ({
  name,
  edits: [{ file, from, to }],
  tests,
})

/** The rules of stores whose writes have no condition. */
export const unfencedMutants: readonly Mutant[] = [
  one('a second copy of an add is a publication', line, 'while (current > floor && ', 'while (current < 0 && ', [...rules, ...traces]),
  one('current is older than what was published', line, 'Math.max(1, ...noted', 'Math.min(1, ...noted', [...rules, ...traces]),
  one('believe a listing', line, "if (found === 'none') break", "if (found === 'none' || next > 0) break", [...traces, ...rules]),
  one('a late copy of base is somebody else', line, 'let isBase = true', 'let isBase = false', traces),
  one('a value like base is base', line, 'mark !== staged && mark === markOf', 'mark === markOf', traces),
  one('publish the newest of ours', line, '{ ours: number, ...found, endsWithOurs }', '{ ...found, ours: number, endsWithOurs }', rules),
  one('what is published is loose', view, 'if (one.token === done || ', 'if (', rules),
  one(
    'show what was kept twice',
    view,
    'if (shown.some((other) => isSameWrite(one, other))) continue',
    'if (shown.length < 0) continue',
    rules,
  ),
  one('hide what the intent names', view, 'if (isIntended || ', 'if (', [...rules, ...traces]),
  one('publish over somebody else, on resume', writes, 'if (found.others) await', 'if (found.others && claim.attempt === 1) await', [
    'lifecycle/traces-publish.test.ts',
  ]),
  one(
    'remove a value before giving it up',
    writes,
    "  await noteOrStop(calls, 'discard.journal', condemned(claim, version, claim.base === current, copies))\n  for (const id of [version, ...copies]) await calls.drop(id, 'discard.value')\n",
    "  for (const id of [version, ...copies]) await calls.drop(id, 'discard.value')\n  await noteOrStop(calls, 'discard.journal', condemned(claim, version, claim.base === current, copies))\n",
    traces,
  ),
  one(
    'add when the lease is almost over',
    writes,
    'if (calls.now() < leaseUntil - addMsMax) return',
    'if (calls.now() > 0) return',
    traces,
  ),
  one(
    'note the other writer later',
    writes,
    'published(claim, info.id, unproven, removed)',
    'published(claim, info.id, undefined, removed)',
    traces,
  ),
  one('the alias stays behind', writes, 'const elsewhere = endsWithOurs ?', 'const elsewhere = endsWithOurs && ours < 0 ?', traces),
  one(
    'the alias moves to what was overtaken',
    writes,
    'const elsewhere = endsWithOurs ? await calls.point(ours) : undefined',
    'const elsewhere = await calls.point(ours)',
    traces,
  ),
  one('do not publish what was just tested', writes, '(isNamed ? tested : undefined)', 'undefined', place),
  one('forget what was there before the write', notes, "intent: true, ...optional('before', before)", 'intent: true', unordered),
  one('believe the seconds', order, 'if (isOld(id)) return 0', '', orderRules),
  one('the newest is where its second says', order, 'return id === newest ? 3 : 2', 'return 2', orderRules),
  one('write without the lease', writes, 'if (isNoted) await fenced(calls, tested !== undefined)', '', unordered),
  one('a journal that is gone stops everything', writes, 'calls.lostError?.() ?? placeLostError', 'placeLostError', unordered),
  one('tell what nothing explains without a login', contested, '(state.unfenced === true && !isExplained(state))', 'false', traces),
  one('leave a late copy current', contested, 'if (isOurs && (await', 'if (isOurs && ref.key.length === 0 && (await', traces),
  one('stuck for what somebody has replaced since', contested, 'now.current?.id !== current.id || now.rev !== state.rev', 'false', traces),
  one(
    'an old add between test and publication stops everything',
    'shared/lifecycle/rotation/stray-values.ts',
    'if (alive && isLate && ',
    'if (alive && isLate && claim.attempt < 0 && ',
    traces,
  ),
  one(
    'forget what an unnoted publication replaced',
    'shared/lifecycle/secret/outgoing.ts',
    '...overtaken, ...sent]',
    '...overtaken]',
    traces,
  ),
  one('one id for two publications', 'shared/lifecycle/decide/publication.ts', 'state.unfenced ? undefined : ours', 'ours', traces),
  one(
    'roll forward to what was left',
    'shared/lifecycle/decide/rows/idle.ts',
    "is('rollback')(l) && l.state.unfenced === true",
    'false',
    traces,
  ),
  one(
    'go on without a staging place',
    'shared/lifecycle/decide/table.ts',
    'when: (l) => l.state.placeLost === true,',
    'when: () => false,',
    place,
  ),
  one(
    'tell without being able to note it',
    'shared/lifecycle/consumers/announce.ts',
    'if (state.placeLost) throw',
    'if (now < 0) throw',
    place,
  ),
  one(
    'keep the staged copy of what is disposed',
    'shared/stores/memory/unfenced.ts',
    'for (const { id } of copies) cell',
    'for (const { id } of []) cell',
    traces,
  ),
]
