import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { aws } from '../../functions/aws/platform.js'
import { readFunctionConfig } from '../../shared/app/function-config.js'
import type { Platform } from '../../shared/app/platform.js'
import { generatePassword } from '../../shared/core/password.js'
import { passwordRule } from '../../shared/rotators/sql/policy.js'
import { clientOptionsOf } from '../../shared/stores/aws-secrets-manager/api.js'
import { FakeEnv } from '../harness/fake-env.js'

const wishesOf = (environment: Readonly<Record<string, string>>) => readFunctionConfig(environment, aws).env.password

describe('the environment of a function', () => {
  it('every problem is named at once, by whomever it is found', () => {
    const wrong = {
      KEYTURN_JOURNAL: 'maybe',
      KEYTURN_CA_FILE: '/nowhere/ca.pem',
      KEYTURN_POLICY_GRACE: '5 parsecs',
      KEYTURN_POLICY_TARGETS: 'billing', // the old name
      PASSWORD_LENGTH: 'many',
    }
    assert.throws(
      () => readFunctionConfig(wrong, aws),
      (cause: Error & { readonly code?: string; readonly field?: string }) => {
        assert.deepEqual([cause.code, cause.field], ['bad_config', 'KEYTURN_JOURNAL'])
        for (const name of Object.keys(wrong)) assert.match(cause.message, new RegExp(`(^|; )${name} `))
        return true
      },
    )
  })

  it('what a platform does not know is not looked at', () => {
    const bare: Platform = { isOwn: () => true }
    assert.deepEqual(readFunctionConfig({ PASSWORD_LENGTH: 'many', EXCLUDE_NUMBERS: 'yes' }, bare).env, {})
  })

  it("of AWS: the templates' variables for passwords, and nothing where none is set", () => {
    assert.equal(wishesOf({}), undefined)
    assert.equal(wishesOf({ EXCLUDE_NUMBERS: 'false', EXCLUDE_CHARACTERS: '', PASSWORD_LENGTH: '' }), undefined)
    assert.deepEqual(wishesOf({ PASSWORD_LENGTH: '20' }), { length: 20, exclude: '' })
    assert.deepEqual(wishesOf({ EXCLUDE_CHARACTERS: 'ab', EXCLUDE_NUMBERS: 'true', EXCLUDE_PUNCTUATION: 'true' }), {
      exclude: 'ab0123456789_-',
    })
    assert.deepEqual(wishesOf({ REQUIRE_EACH_INCLUDED_TYPE: 'false' }), { exclude: '', requireEach: false })
    assert.equal(wishesOf({ REQUIRE_EACH_INCLUDED_TYPE: '', EXCLUDE_UPPERCASE: '' }), undefined)
  })

  it('of AWS: a switch is on at true, 1, y and yes in any case, and off at any other word, as in the templates', () => {
    for (const on of ['true', 'True', 'TRUE', '1', 'y', 'Y', 'yes', 'YES'])
      assert.deepEqual(wishesOf({ EXCLUDE_PUNCTUATION: on, REQUIRE_EACH_INCLUDED_TYPE: on }), { exclude: '_-', requireEach: true }, on)
    for (const off of ['false', 'FALSE', '0', 'n', 'no', 'on', 'off', ' true'])
      assert.deepEqual(wishesOf({ EXCLUDE_PUNCTUATION: off, REQUIRE_EACH_INCLUDED_TYPE: off }), { exclude: '', requireEach: false }, off)
  })

  it('of AWS: a length is a whole number, however it is written', () => {
    for (const length of ['40', ' 40\n', '+40', '0040'])
      assert.deepEqual(wishesOf({ PASSWORD_LENGTH: length }), { length: 40, exclude: '' })
    for (const length of ['4_0', '-40', '40.0', ' ', '4096'])
      assert.throws(() => wishesOf({ PASSWORD_LENGTH: length }), { code: 'bad_config', field: 'PASSWORD_LENGTH' }, length)
  })

  it('of AWS: a password of digits alone, and each class where it is asked for', () => {
    const drawn = (environment: Readonly<Record<string, string>>): string =>
      generatePassword(passwordRule({}, wishesOf(environment)), new FakeEnv('wishes').random)
    assert.match(drawn({ EXCLUDE_UPPERCASE: 'yes', EXCLUDE_LOWERCASE: 'yes' }), /^[0-9][0-9_-]{31}$/)
    for (let length = 12; length < 40; length++)
      for (const group of [/[A-Z]/, /[a-z]/, /[0-9]/, /[_-]/])
        assert.match(drawn({ REQUIRE_EACH_INCLUDED_TYPE: 'True', PASSWORD_LENGTH: String(length) }), group)
  })

  it('of AWS: which secrets it can reach, and where', () => {
    const reached = ['aws:db', 'arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf', 'file:db', 'path:/srv/x', 'awsome:db'].map(aws.isOwn)
    assert.deepEqual(reached, [true, true, false, false, false])
    assert.deepEqual(
      [clientOptionsOf({}), clientOptionsOf({ SECRETS_MANAGER_ENDPOINT: '' }), clientOptionsOf({ SECRETS_MANAGER_ENDPOINT: 'http://x' })],
      [{}, {}, { endpoint: 'http://x' }],
    )
  })
})
