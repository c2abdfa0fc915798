import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Token } from '../../shared/core/ports/words.js'
import { storeKind } from '../../shared/core/refs.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { checkedVerifier, iterationsFor, saltFor, scramVerifier } from '../../shared/rotators/postgres/verifier.js'

describe('SCRAM verifier', () => {
  it('is what PostgreSQL itself keeps for the same password, salt and iterations', () => {
    // The example exchange of RFC 7677: its salt, its iterations, and the keys that its messages were signed with.
    const verifier = scramVerifier(new SecretText('pencil'), Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096)
    assert.equal(
      verifier,
      'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
    )
  })

  it('has the same salt when a rotation repeats its step, and another one in any other rotation', () => {
    const ref = { store: storeKind('memory'), key: 'db', shown: 'memory:db', name: 'db' }
    const salt = (token: string, key = 'db', user = 'app') =>
      Buffer.from(saltFor({ token: token as Token, ref: { ...ref, key } }, user)).toString('hex')
    assert.equal(salt('one'), salt('one'))
    assert.equal(salt('one').length, 32)
    assert.equal(new Set([salt('one'), salt('two'), salt('one', 'other'), salt('one', 'db', 'app_b')]).size, 4)
  })

  it('is never sent in a form that the server would take for clear text', () => {
    const good = scramVerifier(new SecretText('pencil'), Buffer.alloc(16, 7), 4096)
    assert.equal(checkedVerifier(good), good)
    const broken = [
      good.slice(0, -1),
      `${good} `,
      good.replace('SHA-256', 'SHA-512'),
      good.replace('$4096', '$0'),
      good.replace('==$', '$'),
      `x${good}`,
      '',
      'md5',
    ]
    for (const text of broken) assert.throws(() => checkedVerifier(text), { code: 'internal' })
    assert.throws(() => scramVerifier(new SecretText('pencil'), Buffer.alloc(8), 4096), { code: 'internal' })
  })

  it('takes the iterations of the server, within what the driver can log in with', () => {
    assert.deepEqual([null, '4096', '50000', '600000', '1', 'many'].map(iterationsFor), [4096, 4096, 50_000, 100_000, 4096, 4096])
  })
})
