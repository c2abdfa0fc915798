import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inferPolicy } from '../../shared/app/infer.js'
import { SecretText } from '../../shared/core/secret-text.js'
import { rotatorKinds, rotators } from '../../shared/rotators/registry.js'

const inferred = (text: string) => inferPolicy(new SecretText(text))
const policyFor = (kind: string) => ({ 'keyturn-rotator': kind })

describe('what a value says of itself', () => {
  for (const kind of rotatorKinds)
    it(`${kind}: its own name, and what its row names, as engine`, () => {
      assert.ok(rotators[kind].engines.includes(kind))
      for (const engine of rotators[kind].engines)
        for (const written of [engine, engine.toUpperCase()])
          assert.deepEqual(inferred(JSON.stringify({ engine: written })), policyFor(kind))
    })

  it('an engine stands for one rotator', () => {
    const engines = rotatorKinds.flatMap((kind) => rotators[kind].engines)
    assert.equal(new Set(engines).size, engines.length)
  })

  it('the scheme of a URL says the same', () => {
    for (const url of ['postgres://u:p@h/d', 'postgresql://u:p@h/d', 'jdbc:postgresql://h/d', ' POSTGRES://u:p@h/d\n'])
      assert.deepEqual(inferred(url), policyFor('postgres'))
  })

  it('of the templates’ two logins in turn also how, by whom, and that a difference is only reported', () => {
    assert.deepEqual(inferred('{"engine":"postgres","masterarn":"arn:aws:secretsmanager:eu-west-1:1:secret:admin"}'), {
      ...policyFor('postgres'),
      'keyturn-strategy': 'alternate',
      'keyturn-admin': 'aws:arn:aws:secretsmanager:eu-west-1:1:secret:admin',
      'keyturn-differences': 'report',
    })
    assert.deepEqual(inferred('{"engine":"postgres","masterarn":""}'), policyFor('postgres'))
  })

  it('and nothing where it names what nobody knows, or cannot be read', () => {
    for (const text of [
      '{"engine":"oracle"}',
      '{"engine":"constructor"}',
      '{"engine":7}',
      '{"engine":"postgres"',
      '{}',
      'bare',
      'https://h/',
      '',
    ])
      assert.deepEqual(inferred(text), {}, text)
  })
})
