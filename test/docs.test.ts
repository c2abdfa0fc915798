import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import longTests from '../scripts/long-tests.json' with { type: 'json' }
import whole from '../scripts/whole.json' with { type: 'json' }
import { rows } from '../shared/lifecycle/decide/table.js'
import { notifierKinds } from '../shared/notifiers/registry.js'
import { storeKinds } from '../shared/stores/registry.js'

/** The cells of the rows below a heading that matches; empty where the page has no such table. */
function tableBelow(page: string, heading: RegExp): readonly (readonly string[])[] {
  const lines = page.split('\n')
  const first = lines.findIndex((line) => line.startsWith('|') && heading.test(line))
  const length = lines.slice(first).findIndex((line) => !line.startsWith('|'))
  return first < 0 ? [] : lines.slice(first + 2, first + length).map(cellsOf)
}
const cellsOf = (line: string): readonly string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())

const namesIn = (table: readonly (readonly string[])[]): readonly string[] => table.map(([name = '']) => name.replaceAll('`', '')).sort()

/** `0, 0s` and `1–7`, one by one. */
function idsOf(cell: string): readonly string[] {
  return cell.split(', ').flatMap((part) => {
    const [, from, to] = /^(\d+)[–-](\d+)$/.exec(part) ?? []
    if (from === undefined) return [part]
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => String(Number(from) + index))
  })
}

describe('docs/design.md says what the code does', () => {
  const page = readFileSync('docs/design.md', 'utf8')

  it('the decision table: every row of the code in its order, and no other but those that are answered elsewhere', () => {
    const table = tableBelow(page, /^\| row \|/)
    const elsewhere = table.filter(([, , , action = '']) => /answered by claim|falls through/.test(action)).map(([id]) => id)
    assert.deepEqual(elsewhere, ['12', '17'])
    const explained = table.flatMap(([id = '']) => idsOf(id)).filter((id) => !elsewhere.includes(id))
    assert.deepEqual(
      explained,
      rows.flatMap(({ id }) => idsOf(id)),
    )
  })

  it('the table of stores', () => assert.deepEqual(namesIn(tableBelow(page, /^\| store \|/)), [...storeKinds].sort()))

  it('places in the code that there are', () => {
    const named = [...page.matchAll(/`([a-z0-9/.-]+\.ts)`/g)].map(([, path = '']) => path)
    assert.ok(named.length > 50)
    assert.deepEqual(
      named.filter((path) => !existsSync(path) && !existsSync(`shared/${path}`)),
      [],
    )
  })
})

describe('README.md says what there is', () => {
  const page = readFileSync('README.md', 'utf8')

  it('every store that a person may name, and no other', () =>
    assert.deepEqual(namesIn(tableBelow(page, /^\| store \|/)), [...storeKinds].sort()))

  it('every way to notify consumers, and no other', () =>
    assert.deepEqual(namesIn(tableBelow(page, /\| what it can prove \|/)), [...notifierKinds].sort()))
})

describe('CONTRIBUTING.md says what is tested where', () => {
  it('names what npm test leaves to CI, and how much of it', () => {
    const table = tableBelow(readFileSync('CONTRIBUTING.md', 'utf8'), /^\| file \| all of it \|/)
    assert.deepEqual(
      table.map(([file = '', what]) => ({ file: file.replaceAll('`', ''), what })),
      whole.map(({ file, what }) => ({ file: `test/${file}.test.ts`, what })),
    )
    for (const file of [...whole.map(({ file }) => file), ...longTests]) assert.ok(existsSync(`test/${file}.test.ts`), file)
  })
})
