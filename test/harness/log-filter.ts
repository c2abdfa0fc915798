import assert from 'node:assert/strict'

/** An entry of the platform's log. */
export type Entry = Readonly<Record<string, unknown>>

/** What a function printed, as the platform keeps it: a line of JSON on stderr becomes jsonPayload. */
export const entryOf = (service: string, line: string): Entry => ({
  resource: { type: 'cloud_run_revision', labels: { service_name: service } },
  jsonPayload: JSON.parse(line) as unknown,
})

const form = /^([\w.]+) (=|>) (?:"([^"]*)"|(\d+)|\(("[^"]*"(?: OR "[^"]*")*)\))$/

/**
 * Judges the part of the Logging query language that our filters keep to: one comparison a line, all of which must hold; `=` with a text or with one of several,
 * and `>` with a number. A path that is not there fulfils nothing. Fails for everything else.
 */
export function matches(filter: string, entry: Entry): boolean {
  const lines = filter.trim().split('\n')
  return lines.every((line) => {
    const [, path = '', operator, text, number, several] = form.exec(line.trim()) ?? assert.fail(`This filter is not understood: ${line}`)
    const value = valueAt(entry, path.split('.'))
    if (operator === '>') return typeof value === 'number' && value > Number(number ?? assert.fail(line))
    const wanted = text === undefined ? [...(several ?? assert.fail(line)).matchAll(/"([^"]*)"/g)].map(([, one]) => one) : [text]
    return typeof value === 'string' && wanted.includes(value)
  })
}

function valueAt(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value
  if (typeof value !== 'object' || value === null) return undefined
  return valueAt((value as Readonly<Record<string, unknown>>)[name], rest)
}
