import type { Mutant } from './mutant.js'

const errors = 'shared/stores/gcp-secret-manager/errors.ts'
const versions = 'test/harness/gcp-secret-manager/versions.ts'
const secrets = 'test/harness/gcp-secret-manager/secrets.ts'
const double = ['gcp/double.test.ts']
const overtaken = ['gcp/after-the-lease.test.ts']

/** Google Secret Manager: its double as the emulators have it, and its errors read without the call that got them. */
export const gcpMutants: readonly Mutant[] = [
  {
    name: 'the double of Secret Manager answers the newest enabled version for latest',
    edits: [
      {
        file: versions,
        from: 'secret.versions.at(-1)?.id : secret.aliases',
        to: "secret.versions.filter(({ state }) => state === 'ENABLED').at(-1)?.id : secret.aliases",
      },
    ],
    tests: double,
  },
  {
    name: 'the double of Secret Manager takes any etag',
    edits: [{ file: secrets, from: 'if (wanted && wanted !== has)', to: "if (wanted === 'never')" }],
    tests: double,
  },
  {
    name: 'the double of Secret Manager keeps what a mask should replace',
    edits: [
      { file: secrets, from: 'new Map(Object.entries(labels ?? {}))', to: 'new Map([...into.labels, ...Object.entries(labels ?? {})])' },
    ],
    tests: double,
  },
  {
    name: 'the double of Secret Manager does not find by its number what was just added',
    edits: [{ file: versions, from: "added(service, name ?? '', seen) ?? resolve(", to: 'resolve(' }],
    tests: double,
  },
  {
    name: 'a lost answer to AddSecretVersion may be sent again',
    edits: [{ file: errors, from: "addSecretVersion: 'once'", to: "addSecretVersion: 'again'" }],
    tests: ['gcp/errors.test.ts'],
  },
  {
    name: 'a value in a disabled version counts as gone',
    edits: [{ file: errors, from: "state === 'DESTROYED' ? 'not_found' : 'damaged'", to: "'not_found'" }],
    tests: ['gcp/errors.test.ts'],
  },
  {
    name: 'FAILED_PRECONDITION is a lost race for a read, too',
    edits: [{ file: errors, from: "if (code === 'conflict' && cause.call === 'accessSecretVersion')", to: "if (code === 'held')" }],
    tests: ['gcp/errors.test.ts'],
  },
  {
    name: 'the text of Google Cloud gets into the message of an error',
    edits: [{ file: errors, from: 'sayError(cause)}`, { cause }', to: 'cause}`, { cause }' }],
    tests: ['gcp/errors.test.ts'],
  },
  {
    name: 'the aliases move back from a younger version',
    edits: [
      {
        file: 'shared/stores/gcp-secret-manager/aliases.ts',
        from: 'Number(now) > to) return undefined',
        to: 'Number(now) < 0) return undefined',
      },
    ],
    tests: ['gcp/alias-room.test.ts'],
  },
  {
    name: 'aliases move after the lease',
    edits: [{ file: 'shared/core/unfenced/writes.ts', from: 'if (endsWithOurs) assertLease(calls, claim)', to: '' }],
    tests: overtaken,
  },
  {
    name: 'a move of the aliases that is repeated asks no lease',
    edits: [{ file: 'shared/stores/gcp-secret-manager/alias-room.ts', from: '{ aliases }, until)', to: '{ aliases })' }],
    tests: overtaken,
  },
  {
    name: 'a value is kept after the lease',
    edits: [
      { file: 'shared/stores/gcp-secret-manager/calls.ts', from: 'placeName(name), payload, until)', to: 'placeName(name), payload)' },
    ],
    tests: overtaken,
  },
  {
    name: 'a publication is noted over one that is noted already',
    edits: [
      { file: 'shared/core/unfenced/notes.ts', from: ' || rotation.published !== undefined) return undefined', to: ') return undefined' },
    ],
    tests: overtaken,
  },
  {
    name: 'a value is kept again where its note failed',
    edits: [{ file: 'shared/core/unfenced/writes.ts', from: 'if (own !== undefined && !isGivenUp(own)) return own', to: '' }],
    tests: overtaken,
  },
  {
    name: 'release removes a staging place that was claimed meanwhile',
    edits: [
      {
        file: 'shared/stores/gcp-secret-manager/admin.ts',
        from: 'if (place !== undefined && revOf(place) !== state.rev) throw overtakenError(ref)',
        to: '',
      },
    ],
    tests: overtaken,
  },
  {
    name: 'recover finds nothing to do where the published version is gone',
    edits: [{ file: 'shared/lifecycle/rotation/recover.ts', from: 'if (lost !== undefined && state', to: 'if (lost === null && state' }],
    tests: ['gcp/published-gone.test.ts'],
  },
  {
    name: 'aliases are written although they have no room',
    edits: [
      { file: 'shared/stores/gcp-secret-manager/alias-room.ts', from: 'const aliases = fitting(wanted)', to: 'const aliases = wanted' },
    ],
    tests: ['gcp/alias-room.test.ts'],
  },
  {
    name: 'a secret in Google Cloud is updated without its etag',
    edits: [
      {
        file: 'shared/stores/gcp-secret-manager/api.ts',
        from: 'name: resourceOf(name), etag, ...rest',
        to: 'name: resourceOf(name), ...rest',
      },
    ],
    tests: ['gcp/foreign.test.ts'],
  },
]
