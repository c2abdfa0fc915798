import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { Retiring } from '../../shared/core/ports/store.js'
import type { Action, Facts } from '../../shared/lifecycle/decide/action.js'
import { decide } from '../../shared/lifecycle/decide/decide.js'
import { rows } from '../../shared/lifecycle/decide/table.js'
import { refusedError } from '../../shared/lifecycle/rotation/rotate.js'
import { idleCases } from './decide/idle-cases.js'
import { rotationCases } from './decide/rotation-cases.js'
import { ask, type Expected, entry, now, ref, refuse, retiring, withoutCurrent } from './decide/words.js'

const cases = [...rotationCases, ...idleCases]

function check(found: Action & { readonly row: string }, row: string, expected: Expected): void {
  const { row: actual, ...decided } = found
  const action = decided.do === 'refuse' ? { do: decided.do, code: decided.code, why: decided.why } : decided
  assert.equal(actual, row)
  if (expected.do !== 'refuse') {
    assert.deepEqual(action, expected)
    return
  }
  assert.ok(action.do === 'refuse')
  assert.match(action.why, expected.why)
  assert.deepEqual({ ...action, why: '' }, { ...expected, why: '' })
}

describe('decide: each row, and what stands beside it', () => {
  const hit = new Set<string>()
  for (const [title, question, action, ...beside] of cases) {
    const row = title.slice(0, title.indexOf(' '))
    it(`row ${title}`, () => {
      const found = decide(...ask(question))
      hit.add(found.row)
      check(found, row, action)
    })
    for (const [difference, neighbour, answer] of beside) {
      it(`row ${title}; but ${difference}: row ${answer}`, () => {
        assert.notEqual(answer, row)
        assert.equal(decide(...ask(neighbour)).row, answer)
      })
    }
  }

  it('row 0: no current version at all', () => {
    const [, request, facts] = ask({})
    check(decide(withoutCurrent, request, facts), '0', refuse('not_found', /no current/))
  })

  it('a slot is freed only for an issuer, only when all are taken, and only for what nobody is known to use', () => {
    const freed = (facts: Partial<Facts>, ...entries: Retiring[]) => {
      const { row: _row, ...action } = decide(...ask({ state: { journal: retiring(...entries) }, request: { kind: 'emergency' }, facts }))
      return action.do === 'go' ? action.retireFirst : 'nothing was started'
    }
    assert.equal(freed({ slots: 2, mints: true }, entry('undeclared')), 'old')
    assert.equal(freed({ slots: 2, mints: true }, entry('armed')), 'old')
    assert.equal(freed({ slots: 2, mints: false }, entry('undeclared')), undefined)
    assert.equal(freed({ slots: 3, mints: true }, entry('undeclared')), undefined)
    assert.equal(freed({ slots: 2, mints: true }, entry('undeclared', now + 1)), undefined)
    assert.equal(freed({ slots: 2, mints: true }, entry('waiting')), undefined)
    assert.equal(freed({ slots: null, mints: true }, entry('undeclared')), undefined)
  })

  it('every held refusal names a command that shows the reason', () => {
    let held = 0
    for (const [title, question] of cases) {
      const action = decide(...ask(question))
      if (action.do !== 'refuse' || action.code !== 'held') continue
      held++
      assert.match(refusedError(ref, action).next, /keyturn (status|retire|doctor|policy|recover)/, title)
      assert.match(refusedError(ref, action).next, /memory:db/, title)
    }
    assert.ok(held > 8)
  })

  it('is pure: the same question has the same answer, and changes nothing', () => {
    for (const [, question] of cases) {
      const asked = ask(question)
      const before = structuredClone(asked)
      assert.deepEqual(decide(...asked), decide(...asked))
      assert.deepEqual(asked, before)
    }
  })

  after(() => {
    const missed = rows.map(({ id }) => id).filter((id) => !hit.has(id))
    assert.deepEqual(missed, [], 'every row of the table has a case')
  })
})
