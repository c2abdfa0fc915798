import { type BadInputWorld, type Case, sized, value } from '../azure-bad-input.js'

const version = 'ab'.repeat(16)
const long = 'x'.repeat(120)
const writing = 'Write azure:VAULT/NAME. A name has A-Z a-z 0-9 and -, at most 127 of them.'
const notWhole = (text: string): string => `"${text}" is an address or names a version, and Keyturn works on the whole secret.`

/** Names and values. */
export const texts: readonly Case[] = [
  ...(
    [
      ['azure:app/a_b', ': "a_b" is not a name that the service takes.'],
      ['azure:shop_x/db', ': "shop_x" is not the name of a vault.'],
      ['azure:app/db/more', '.'],
    ] as const
  ).map(([ref, why]) => ({
    what: `the name ${ref}`,
    row: 'the name is not allowed',
    words: ['rotate', ref],
    code: 'bad_event',
    field: 'ref',
    says: `"${ref}" does not name a secret of Azure Key Vault${why}`,
    next: writing,
  })),
  ...['status', 'rotate', 'put'].flatMap((command) =>
    [`azure:app/db/${version}`, `azure:https://app.vault.azure.net/secrets/DB/${version}`].map((ref) => ({
      what: `${ref}, to ${command}`,
      row: 'the name is not allowed',
      words: [command, ref],
      stdin: value,
      code: 'bad_event',
      field: 'ref',
      says: notWhole(ref),
      next: 'Write azure:app/db.',
    })),
  ),
  ...['status', 'rotate', 'put', 'release'].map((command) => ({
    what: `the staging place in the place of the secret, to ${command}`,
    row: 'the name is not allowed',
    words: [command, 'azure:app/db-pending'],
    stdin: value,
    code: 'bad_event',
    field: 'ref',
    says: 'azure:app/db-pending is the staging place of another secret.',
    next: 'Name the secret itself.',
  })),
  {
    what: 'an address without azure: before it',
    row: 'the name is not allowed',
    words: ['rotate', `https://app.vault.azure.net/secrets/db/${version}`],
    code: 'bad_event',
    field: 'ref',
    says: 'There is no store "https".',
    next: 'Use one of file, aws, gcp, azure.',
  },
  {
    what: 'a name without a vault where there are two',
    row: 'the name is not allowed',
    words: ['rotate', 'azure:db'],
    env: { KEYTURN_AZURE_VAULTS: 'app staging' },
    code: 'bad_event',
    field: 'ref',
    says: '"db" does not say in which vault the secret is.',
    next: 'Write azure:VAULT/db, or set KEYTURN_AZURE_VAULTS to one vault.',
  },
  ...['put', 'adopt'].map((command) => ({
    what: `a name whose staging place would have none, to ${command}`,
    row: 'the name is not allowed',
    words: [command, `azure:app/${long}`],
    stdin: value,
    arrange: (world: BadInputWorld) => (command === 'adopt' ? world.write(long, value) : undefined),
    code: 'bad_event',
    field: 'ref',
    says: `The name ${long} is too long: its staging place would have 128 characters.`,
    next: 'Choose a name of at most 119 characters.',
  })),
  ...(
    [
      ['azure:app/db', 25_001],
      ['azure:app/new', 25_001],
      ['azure:app/db', 30_000],
    ] as const
  ).map(([ref, bytes]) => ({
    what: `a value of ${bytes} bytes for ${ref}`,
    row: 'the value is too large',
    words: ['put', ref],
    stdin: sized(bytes),
    code: 'too_large',
    field: 'value',
    says: 'The value has more than 25000 bytes, which is as much as this store takes. No more was read.',
    next: 'Shorten it, or keep everything that is not a credential elsewhere.',
  })),
  ...['azure:app/db', 'azure:app/new'].map((ref) => ({
    what: `an empty value for ${ref}`,
    row: 'the value is empty',
    words: ['put', ref],
    stdin: '\n',
    code: 'bad_value',
    field: 'value',
    says: 'The value is empty.',
    next: 'Give it in a file, on stdin or at the prompt.',
  })),
  {
    what: 'an empty value that somebody else stored',
    row: 'the value is empty',
    words: ['rotate', 'azure:app/db'],
    arrange: (world: BadInputWorld) => world.write('db', ''),
    code: 'bad_value',
    field: 'value',
    says: 'The value is not JSON.',
    next: 'Put a value with target, username and password.',
  },
]
