import type { FileFacts, FunctionFact } from './facts.js'

/** The longest that a function may be. */
const linesMax = 60
/** Folders whose own folders are rooms. */
const halls = ['shared/lifecycle', 'shared/rotators', 'shared/stores', 'shared/notifiers']

/** Figures of one room. */
export interface RoomFigures {
  readonly room: string
  readonly files: number
  readonly codeLines: number
  readonly charactersALine: number
  readonly longest: FunctionFact | null
  readonly functionsOver60: number
  /** From 0 to 1; null where nothing is exported that could have a doc comment. */
  readonly documented: number | null
}
/** Figures of everything. */
export interface Summary extends Omit<RoomFigures, 'room' | 'charactersALine'> {
  readonly rooms: number
  readonly charactersALineInMedianRoom: number
  readonly functions: number
  readonly medianFunctionLines: number
}
/** What `npm run measure` prints. */
export interface Figures {
  readonly rooms: readonly RoomFigures[]
  readonly summary: Summary
}

/** The first folder below a hall (`shared/stores/file`), the hall for what is directly in it, else the folder below shared and functions, else cli. */
export function roomOf(file: string): string {
  const folders = file.split('/').slice(0, -1)
  const depth = halls.includes(folders.slice(0, 2).join('/')) ? 3 : folders[0] === 'cli' ? 1 : 2
  return folders.slice(0, depth).join('/')
}

/** Figures of each room, by name, and of all. */
export function figuresOf(facts: readonly FileFacts[]): Figures {
  const names = [...new Set(facts.map(({ file }) => roomOf(file)))].sort()
  const rooms = names.map((room): RoomFigures => {
    const inside = facts.filter(({ file }) => roomOf(file) === room)
    const lengths = inside.flatMap(({ codeLines }) => codeLines)
    return { room, ...common(inside), charactersALine: round(sum(lengths) / lengths.length, 1) }
  })
  const functions = facts.flatMap((one) => one.functions)
  const summary: Summary = {
    rooms: rooms.length,
    ...common(facts),
    charactersALineInMedianRoom: round(median(rooms.map(({ charactersALine }) => charactersALine)), 1),
    functions: functions.length,
    medianFunctionLines: median(functions.map(({ lines }) => lines)),
  }
  return { rooms, summary }
}

function common(facts: readonly FileFacts[]): Omit<RoomFigures, 'room' | 'charactersALine'> {
  const functions = facts.flatMap((one) => one.functions)
  const exported = facts.flatMap(({ exports }) => exports)
  const documented = exported.filter((one) => one.documented).length
  return {
    files: facts.length,
    codeLines: sum(facts.map(({ codeLines }) => codeLines.length)),
    longest: functions.reduce<FunctionFact | null>((longest, one) => (one.lines > (longest?.lines ?? 0) ? one : longest), null),
    functionsOver60: functions.filter(({ lines }) => lines > linesMax).length,
    documented: exported.length === 0 ? null : round(documented / exported.length, 3),
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0)
const round = (number: number, digits: number): number => Number(number.toFixed(digits))

/** The middle number; of an even count, the mean of the two in the middle; 0 for none. */
function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1)
  return sum(middle) / Math.max(middle.length, 1)
}
