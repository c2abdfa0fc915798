import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { counted } from '../../shared/core/counted.js'

function* filesIn(path: string): Iterable<string> {
  if (!statSync(path).isDirectory()) yield path
  else for (const name of readdirSync(path)) yield* filesIn(join(path, name))
}

/** A number in a template with a plural behind it, such as `${all.length} consumers`. */
const plural = /(\$\{[^{}]*(?:\.length|\.size|\b(?:records|days|open|bytes|size|are|left|there))\} (?:[a-z]+ )?[a-z]+[^s\W]s)\b/

/** Where the number is never 1, by file and text, and why. */
const neverOne: Readonly<Record<string, string>> = {
  'cli/commands/recover.ts: ${left} versions': 'one version has a text of its own',
  'shared/kubernetes/kubeconfig.ts: ${found.length} entries': 'one entry is the right one',
  'shared/lifecycle/guard/store.ts: ${bytes} bytes': 'more than a store takes',
  'shared/rotators/keyring/policy.ts: ${bytes} keeps': 'a verb',
  'shared/rotators/keyring.ts: ${kept.length} keys': 'as many as keyturn-count, which is at least two',
  'shared/rotators/keyring.ts: ${there} keys': 'more than keyturn-count',
  'shared/rotators/secret-list/value.ts: ${secrets.length} secrets': 'more than keyturn-count',
  'shared/rotators/secret-list/value.ts: ${lists.length} fields': 'one list is the right one',
  'shared/rotators/sql/names.ts: ${bytes} bytes': 'more than a server takes',
  'shared/stores/aws-secrets-manager/admin.ts: ${value.bytes} bytes': 'more than the store takes',
  'shared/stores/aws-secrets-manager/tags.ts: ${retiring.length} credentials': 'more than there are tags for',
  'shared/stores/file.ts: ${value.bytes} bytes': 'more than the store takes',
  'shared/stores/azure-key-vault/names.ts: ${nameCharactersMax - placeSuffix.length} characters': 'what a name may have',
  'shared/stores/azure-key-vault/tags.ts: ${text.length} characters': 'more than two tags have room for',
  'shared/stores/azure-key-vault/value.ts: ${value.bytes} bytes': 'more than the store takes',
  'shared/stores/gcp-secret-manager/annotations.ts: ${bytes} bytes': 'more than the annotations of a secret may have',
  'shared/stores/gcp-secret-manager/names.ts: ${idCharactersMax - placeSuffix.length} characters': 'what a name may have',
  'shared/stores/gcp-secret-manager/place.ts: ${bytes} bytes': 'more than there is room for',
  'shared/stores/gcp-secret-manager/staged.ts: ${value.bytes} bytes': 'more than the store takes',
}

describe('a count and its noun', () => {
  it('the noun is in the singular after 1, and after no other number', () => {
    assert.deepEqual(
      [0, 1, 2, 21].map((count) => counted(count, 'consumer')),
      ['0 consumers', '1 consumer', '2 consumers', '21 consumers'],
    )
    assert.deepEqual([counted(1, 'entry', 'entries'), counted(2, 'entry', 'entries')], ['1 entry', '2 entries'])
  })

  it('no message has a plural behind a number that may be 1', () => {
    assert.match('`${all.length} consumers`', plural)
    assert.match('`${records} old records, none`', plural)
    const found = ['cli', 'functions', 'shared']
      .flatMap((place) => [...filesIn(place)])
      .flatMap((file) => {
        const texts = readFileSync(file, 'utf8').matchAll(new RegExp(plural, 'g'))
        return [...texts].map(([, text]) => `${file}: ${text}`)
      })
    assert.deepEqual([...new Set(found)].sort(), Object.keys(neverOne).sort())
  })
})
