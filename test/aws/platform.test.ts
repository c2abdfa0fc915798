import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { aws } from '../../functions/aws/platform.js'
import { readFunctionConfig } from '../../shared/app/function-config.js'
import type { Platform } from '../../shared/app/platform.js'
import { clientOptionsOf } from '../../shared/stores/aws-secrets-manager/api.js'

const wishesOf = (environment: Readonly<Record<string, string>>) => readFunctionConfig(environment, aws).env.password

describe('the environment of a function', () => {
  it('every problem is named at once, by whomever it is found', () => {
    const wrong = {
      KEYTURN_JOURNAL: 'maybe',
      KEYTURN_CA_FILE: '/nowhere/ca.pem',
      KEYTURN_POLICY_GRACE: '5 parsecs',
      KEYTURN_POLICY_TARGETS: 'billing', // the old name
      EXCLUDE_NUMBERS: 'yes',
      REQUIRE_EACH_INCLUDED_TYPE: '1',
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
