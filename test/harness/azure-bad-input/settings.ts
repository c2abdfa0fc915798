import { type BadInputWorld, type Case, tagsOf, value } from '../azure-bad-input.js'

/** What no message may repeat. */
export const accountKey = 'c2VjcmV0LWtleS1vZi10aGUtYWNjb3VudA=='
/** A letter of a name in it is wrong. */
const connectionString = `DefaultEndpointsProtocol=https;AccountName=shop;AccountKee=${accountKey};EndpointSuffix=core.windows.net`
const names = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(63))
const longPolicy = {
  owner: 'o'.repeat(256),
  environment: 'e'.repeat(256),
  window: `${'mon '.repeat(57)}02:00-05:00 Europe/Berlin`,
  consumers: names.join(' '),
}
const everyWrite: readonly (readonly string[])[] = [
  ['rotate', 'azure:app/db'],
  ['put', 'azure:app/db'],
  ['put', 'azure:app/new'],
  ['adopt', 'azure:app/db'],
  ['policy', 'azure:app/db', 'grace=2h'],
  ['retire', 'azure:app/db'],
  ['release', 'azure:app/db'],
]

/** Variables, tags and policy. */
export const settings: readonly Case[] = [
  ...everyWrite.map((words) => ({
    what: `no storage account, to ${words.join(' ')}`,
    row: 'no storage account is set',
    words,
    stdin: words[0] === 'put' ? value : '',
    env: { KEYTURN_AZURE_STORAGE: '' },
    code: 'bad_config',
    field: 'KEYTURN_AZURE_STORAGE',
    says: `No storage account keeps the journal of ${words[1]}: without it nothing is written.`,
    next: 'Set KEYTURN_AZURE_STORAGE to the name of a storage account in which this identity may write blobs. A function app has one.',
  })),
  ...[
    { KEYTURN_AZURE_STORAGE: connectionString },
    { KEYTURN_AZURE_STORAGE: 'http://shop.blob.core.windows.net' },
    { KEYTURN_AZURE_STORAGE: '', AzureWebJobsStorage: connectionString },
  ].map((env) => {
    const field = 'AzureWebJobsStorage' in env ? 'AzureWebJobsStorage' : 'KEYTURN_AZURE_STORAGE'
    return {
      what: `a storage account that is none, ${JSON.stringify(env).length} characters of ${field}`,
      row: 'the storage account is malformed',
      words: ['status', 'azure:app/db'],
      env,
      code: 'bad_config',
      field,
      says: `${field} is neither the name of a storage account nor the address of its blobs.`,
      next: 'Write the name, or https://ACCOUNT.blob.core.windows.net.',
    }
  }),
  ...[
    `AccountKey=${accountKey}`,
    `AccountName=shop;AccountKey=${accountKey}`,
    `BlobEndpoint=none;SharedAccessSignature=sig=${accountKey}`,
  ].map((text) => ({
    what: `half a connection string, ${text.length} characters`,
    row: 'the storage account is malformed',
    words: ['rotate', 'azure:app/db'],
    env: { KEYTURN_AZURE_STORAGE: text },
    code: 'bad_config',
    field: 'KEYTURN_AZURE_STORAGE',
    says: 'KEYTURN_AZURE_STORAGE is not a whole connection string.',
    next: 'Copy it again from the storage account, or write only its name.',
  })),
  ...['rotate', 'put'].map((command) => ({
    what: `a container that is not there, to ${command}`,
    row: 'the container does not exist',
    words: [command, 'azure:app/db'],
    stdin: value,
    env: { KEYTURN_AZURE_CONTAINER: 'other' },
    code: 'bad_config',
    field: 'KEYTURN_AZURE_CONTAINER',
    says: 'The storage account has no container for the journal of azure:app/db.',
    next: 'Run keyturn adopt azure:app/db with the rights of a person, which makes it, or check KEYTURN_AZURE_STORAGE and KEYTURN_AZURE_CONTAINER.',
  })),
  {
    what: 'a container that cannot be one',
    row: 'the container does not exist',
    words: ['rotate', 'azure:app/db'],
    env: { KEYTURN_AZURE_CONTAINER: 'Key_Turn' },
    code: 'bad_config',
    field: 'KEYTURN_AZURE_CONTAINER',
    says: 'KEYTURN_AZURE_CONTAINER is not the name of a container.',
    next: 'Use a-z 0-9 and single -, from 3 to 63 characters.',
  },
  ...[['rotate'], ['put'], ['policy', 'grace=2h'], ['adopt']].map(([command = '', ...more]) => ({
    what: `11 tags of others, to ${command}`,
    row: 'there are too many tags',
    words: [command, 'azure:app/db', ...more],
    stdin: command === 'put' ? value : '',
    arrange: (world: BadInputWorld) => world.write('db', value, tagsOf(11)),
    ...(['rotate', 'put'].includes(command) ? ({ noted: true } as const) : {}),
    code: 'too_large',
    field: 'tags',
    says: 'azure:app/db has 11 tags of others; a version has room for 10 beside ours.',
    next: 'Remove 1 of them from its newest version.',
  })),
  {
    what: '11 tags of others, to adopt a secret that has no staging place',
    row: 'there are too many tags',
    words: ['adopt', 'azure:app/other', '--rotator', 'memory-a'],
    arrange: (world: BadInputWorld) => world.write('other', value, tagsOf(11)),
    code: 'too_large',
    field: 'tags',
    says: 'azure:app/other has 11 tags of others; a version has room for 10 beside ours.',
    next: 'Remove 1 of them from its newest version.',
  },
  {
    what: 'a policy that is longer than two tags',
    row: 'the policy is too long',
    words: ['policy', 'azure:app/db', ...Object.entries(longPolicy).map(([key, text]) => `${key}=${text}`)],
    arrange: (world: BadInputWorld) =>
      world.write('config', JSON.stringify({ consumers: Object.fromEntries(names.map((name) => [name, { kind: 'manual' }])) })),
    env: { KEYTURN_CONFIG: 'azure:app/config' },
    code: 'too_large',
    field: 'policy',
    says: `The policy has ${policyCharacters()} characters; two tags have room for 1024.`,
    next: 'Shorten it: keep what many secrets share in the configuration.',
  },
]
function policyCharacters(): number {
  const entries = Object.entries({ rotator: 'memory-a', ...longPolicy })
  return entries.map(([key, text]) => `${key}=${text}`).join(';').length
}
