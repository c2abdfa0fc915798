import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { mutants } from '../scripts/mutants/list.js'

describe('a mutant', () => {
  it('changes a text that stands once in its file: what is renamed there is renamed here', () => {
    const times = mutants.flatMap(({ name, edits }) =>
      edits.map(({ file, from }) => [name, readFileSync(file, 'utf8').split(from).length - 1]),
    )
    assert.deepEqual(
      times.filter(([, count]) => count !== 1),
      [],
    )
  })

  it('names test files that there are', () => {
    const named = mutants.flatMap(({ tests }) => tests)
    assert.deepEqual(
      named.filter((test) => !existsSync(`test/${test}`)),
      [],
    )
  })
})
