import assert from 'node:assert/strict'

/** A row of a table of Log Analytics. */
export type Row = Readonly<Record<string, unknown>>

const condition = /^(?:tostring\(([\w.]+)\)|tolong\(([\w.]+)\)|(\w+)) (==|=~|>|contains) (?:"([^"]*)"|(\d+)|(\w+))$/

/**
 * Judges the part of Kusto that our queries keep to: a table, then `where` with conditions joined by `and`, `extend` of one parsed column, and `summarize` of
 * counts, which always gives one row. Fails for everything else.
 */
export function queried(query: string, tables: Readonly<Record<string, readonly Row[]>>): readonly Row[] {
  const [table = '', ...steps] = query
    .trim()
    .split('\n')
    .map((line) => line.trim().replace(/^\| /, ''))
  let rows = tables[table] ?? assert.fail(`There is no table ${table}`)
  for (const step of steps) rows = stepped(step, rows)
  return rows
}

function stepped(step: string, rows: readonly Row[]): readonly Row[] {
  const [, verb = '', rest = ''] = /^(where|extend|summarize) (.*)$/.exec(step) ?? assert.fail(`This step is not understood: ${step}`)
  if (verb === 'where') return rows.filter((row) => holds(rest, row))
  if (verb === 'extend') {
    const [, name = '', from = ''] = /^(\w+) = parse_json\((\w+)\)$/.exec(rest) ?? assert.fail(`This column is not understood: ${rest}`)
    return rows.map((row) => ({ ...row, [name]: parsed(row[from]) }))
  }
  const counts = rest.split(/, (?=\w+ = )/).map((text) => {
    const [, name = '', inner] =
      /^(\w+) = (?:count\(\)|countif\((.*)\))$/.exec(text) ?? assert.fail(`This count is not understood: ${text}`)
    return [name, rows.filter((row) => inner === undefined || holds(inner, row)).length]
  })
  return [Object.fromEntries(counts) as Row]
}

/** What is not JSON stays a text, as parse_json has it. */
function parsed(text: unknown): unknown {
  try {
    return JSON.parse(String(text))
  } catch (cause) {
    assert.ok(cause instanceof SyntaxError)
    return text
  }
}

function holds(conditions: string, row: Row): boolean {
  return conditions.split(' and ').every((one) => {
    const [, textPath, numberPath, column, operator, text, number, other] =
      condition.exec(one) ?? assert.fail(`This condition is not understood: ${one}`)
    const found = valueAt(row, (textPath ?? numberPath ?? column ?? '').split('.'))
    if (operator === '>') {
      assert.ok(number !== undefined && textPath === undefined, one)
      return isWhole(found) && found > Number(number)
    }
    assert.ok(numberPath === undefined, one)
    if (other !== undefined) return found === row[other]
    assert.ok(text !== undefined, one)
    if (typeof found !== 'string') return false
    if (operator === '==') return found === text
    const [mine, theirs] = [found.toLowerCase(), text.toLowerCase()]
    return operator === '=~' ? mine === theirs : mine.includes(theirs)
  })
}
const isWhole = (value: unknown): value is number => typeof value === 'number'

function valueAt(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value
  if (typeof value !== 'object' || value === null) return undefined
  return valueAt((value as Row)[name], rest)
}
