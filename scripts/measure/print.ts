import type { FunctionFact } from './facts.js'
import type { Figures } from './figures.js'

const header = `Shipped code, room by room.
lines       lines that hold code: not blank, not only comment
chars       mean characters of such a line, without indentation and trailing space; a comment at its end counts
over 60     functions of more than 60 lines as written in the file; a callback counts in the function around it
documented  exported functions, classes, interfaces and types that have a doc comment right above
`

/** The figures as a table and a summary, for people. */
export function showFigures({ rooms, summary }: Figures): string {
  const rows = rooms.map((room) => [
    room.room,
    String(room.files),
    String(room.codeLines),
    room.charactersALine.toFixed(1),
    String(room.functionsOver60),
    percent(room.documented),
    showFunction(room.longest),
  ])
  return [
    header,
    ...aligned([['room', 'files', 'lines', 'chars', 'over 60', 'documented', 'longest function'], ...rows]),
    '',
    `${summary.rooms} rooms, ${summary.files} files, ${summary.codeLines} lines of code, ${summary.functions} functions`,
    `mean characters a line in the median room: ${summary.charactersALineInMedianRoom.toFixed(1)}`,
    `functions of more than 60 lines: ${summary.functionsOver60}; the longest: ${showFunction(summary.longest)}`,
    `median function: ${summary.medianFunctionLines} lines`,
    `documented exports: ${percent(summary.documented)}`,
  ].join('\n')
}

const percent = (share: number | null): string => (share === null ? '-' : `${Math.round(share * 100)} %`)
const showFunction = (one: FunctionFact | null): string => (one ? `${one.lines}  ${one.name}  ${one.place}` : '-')

/** Texts to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const isText = (column: number): boolean => column === 0 || column === widths.length - 1
  const pad = (cell: string, column: number): string =>
    isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)
  return rows.map((row) => row.map(pad).join('  ').trimEnd())
}
