import { CredentialUnavailableError } from '@azure/identity'
import { type BadInputWorld, type Case, value } from '../azure-bad-input.js'

const vaultNext = 'Check the name of the vault: az keyvault list shows those of a subscription.'
const place = 'azure:app/other-pending'
const grant = (policy: string, ref = 'keyturn permissions azure:app/db') =>
  `Grant a role with it, or ${policy} in a vault with access policies: ${ref} prints what is needed. A new role takes some minutes.`

/** Vaults, credentials and roles. */
export const places: readonly Case[] = [
  ...['status', 'rotate', 'put', 'get', 'verify', 'adopt'].map((command) => ({
    what: `a vault that is not there, to ${command}`,
    row: 'the vault does not exist',
    words: [command, 'azure:typo/db'],
    stdin: value,
    code: 'bad_config',
    field: 'ref',
    says: 'azure:typo/db: no vault has the address typo.vault.azure.net, or DNS does not work here.',
    next: vaultNext,
  })),
  {
    what: 'a vault that is not there, to list',
    row: 'the vault does not exist',
    words: ['list', '--store', 'azure'],
    env: { KEYTURN_AZURE_VAULTS: 'typo' },
    code: 'bad_config',
    field: 'KEYTURN_AZURE_VAULTS',
    says: 'azure:typo: no vault has the address typo.vault.azure.net, or DNS does not work here.',
    next: vaultNext,
  },
  {
    what: 'vaults that cannot be ones',
    row: 'the vault does not exist',
    words: ['list', '--store', 'azure'],
    env: { KEYTURN_AZURE_VAULTS: 'shop shop_test' },
    code: 'bad_config',
    field: 'KEYTURN_AZURE_VAULTS',
    says: 'KEYTURN_AZURE_VAULTS: "shop_test" is not the name of a vault.',
    next: 'Write names with spaces between: KEYTURN_AZURE_VAULTS="shop-prod shop-test". Outside of the public cloud, write the whole host of a vault.',
  },
  {
    what: 'two staging vaults',
    row: 'the vault does not exist',
    words: ['status', 'azure:app/db'],
    env: { KEYTURN_AZURE_STAGING_VAULT: 'shop shop-test' },
    code: 'bad_config',
    field: 'KEYTURN_AZURE_STAGING_VAULT',
    says: 'KEYTURN_AZURE_STAGING_VAULT names more than one vault.',
    next: 'Name one: all staging places are in it.',
  },
  ...['status', 'rotate', 'put', 'get'].map((command) => ({
    what: `a firewall, to ${command}`,
    row: 'a firewall refuses this address',
    words: [command, 'azure:app/db'],
    stdin: value,
    arrange: (world: BadInputWorld) => Object.assign(world.line.double.vault(), { refusesAddress: true }),
    code: 'denied',
    says: 'azure:app/db: the firewall of app.vault.azure.net does not let this address in.',
    next: 'Run where its network rules allow it, or allow this network, subnet or private endpoint there.',
  })),
  {
    what: 'a firewall, to list',
    row: 'a firewall refuses this address',
    words: ['list', '--store', 'azure'],
    arrange: (world: BadInputWorld) => Object.assign(world.line.double.vault(), { refusesAddress: true }),
    code: 'denied',
    says: 'azure:app: the firewall of app.vault.azure.net does not let this address in.',
    next: 'Run where its network rules allow it, or allow this network, subnet or private endpoint there.',
  },
  ...['status', 'rotate', 'put', 'get'].map((command) => ({
    what: `credentials of another tenant, to ${command}`,
    row: 'the credentials are of another tenant',
    words: [command, 'azure:app/db'],
    stdin: value,
    arrange: (world: BadInputWorld) => Object.assign(world.line.double, { wantsToken: () => ({ issuedIn: 'beef' }) }),
    code: 'denied',
    says: 'azure:app/db: the service does not accept these credentials (they are of another tenant than the vault).',
    next: "Log in to the vault's own tenant: az login --tenant TENANT, or set AZURE_TENANT_ID to it.",
  })),
  {
    what: 'credentials of another tenant, to list: the client keeps less of a refused list',
    row: 'the credentials are of another tenant',
    words: ['list', '--store', 'azure'],
    arrange: (world: BadInputWorld) => Object.assign(world.line.double, { wantsToken: () => ({ issuedIn: 'beef' }) }),
    code: 'denied',
    says: 'azure:app: the service does not accept these credentials (401 Unauthorized).',
    next: "Log in again, to the vault's own tenant, and check the clock of this machine.",
  },
  ...[['rotate', 'azure:app/db'] as const, ['list', '--store', 'azure'] as const].map((words) => ({
    what: `no credentials, to ${words[0]}`,
    row: 'there are no credentials',
    words,
    arrange: (world: BadInputWorld) => {
      const unavailable = new CredentialUnavailableError('EnvironmentCredential is unavailable.')
      world.line.credential = () => ({ getToken: () => Promise.reject(unavailable) })
    },
    code: 'denied',
    says: `No credentials of Azure were found, or they were refused: azure:app${words[0] === 'list' ? '' : '/db'} cannot be reached.`,
    next: 'Run az login, set AZURE_TENANT_ID, AZURE_CLIENT_ID and a credential of it, or run where a managed identity is.',
  })),
  {
    what: 'a role that is missing',
    row: 'a role is missing',
    words: ['rotate', 'azure:app/db'],
    arrange: (world: BadInputWorld) => world.line.double.deny.add('Microsoft.KeyVault/vaults/secrets/getSecret/action'),
    code: 'denied',
    says: 'secrets/getSecret/action is denied on azure:app/db.',
    next: grant('Get'),
  },
  {
    what: 'a role that is missing, to list',
    row: 'a role is missing',
    words: ['list', '--store', 'azure'],
    arrange: (world: BadInputWorld) => world.line.double.deny.add('Microsoft.KeyVault/vaults/secrets/readMetadata/action'),
    code: 'denied',
    says: 'secrets/readMetadata/action is denied on azure:app.',
    next: grant('List', 'keyturn permissions with one of its secrets'),
  },
  {
    what: 'a role that is missing on the staging place alone',
    row: 'a role is missing',
    words: ['rotate', 'azure:app/db'],
    noted: true,
    arrange: (world: BadInputWorld) => {
      world.line.double.mayNot = (action, secret) => action.endsWith('/setSecret/action') && secret === 'db-pending'
    },
    code: 'denied',
    says: 'secrets/setSecret/action is denied on azure:app/db-pending.',
    next: grant('Set', 'keyturn permissions with the secret of that staging place'),
  },
]

/** Secrets and staging places. */
export const secrets: readonly Case[] = [
  {
    what: 'a secret that is not there',
    row: 'the secret does not exist',
    words: ['rotate', 'azure:app/other'],
    code: 'not_found',
    field: 'ref',
    says: 'There is no secret azure:app/other.',
    next: 'Check the name and the vault; keyturn list --store azure shows what is there. One that was deleted can be recovered.',
  },
  ...['status', 'rotate', 'get', 'verify', 'adopt', 'recover', 'release'].map((command) => ({
    what: `a secret that was deleted, to ${command}`,
    row: 'the secret was deleted',
    words: [command, 'azure:app/db'],
    arrange: (world: BadInputWorld) => world.remove('db'),
    code: 'not_found',
    field: 'ref',
    says: 'There is no secret azure:app/db.',
    next: 'Check the name and the vault; keyturn list --store azure shows what is there. One that was deleted can be recovered.',
  })),
  {
    what: 'a secret that was deleted, to put',
    row: 'the secret was deleted',
    words: ['put', 'azure:app/db'],
    stdin: value,
    arrange: (world: BadInputWorld) => world.remove('db'),
    code: 'exists',
    field: 'ref',
    says: 'azure:app/db already exists.',
    next: 'It was deleted: az keyvault secret recover --vault-name app --name db has it back, and purge frees its name.',
  },
  ...['rotate', 'put'].map((command) => ({
    what: `a staging place that was deleted, to ${command}`,
    row: 'the staging place was deleted',
    words: [command, 'azure:app/db'],
    stdin: value,
    arrange: (world: BadInputWorld) => world.remove('db-pending'),
    code: 'stuck',
    says: 'azure:app/db: its staging place is gone, with everything in it.',
    next: 'keyturn recover azure:app/db --yes makes it again, and tries every stored value once.',
  })),
  ...['rotate', 'put'].map((command) => ({
    what: `a newest version that somebody disabled, to ${command}`,
    row: 'the newest version is disabled',
    words: [command, 'azure:app/db'],
    stdin: value,
    arrange: (world: BadInputWorld) => {
      world.write('db', value)
      world.disable('db')
    },
    code: 'damaged',
    says: 'azure:app/db: the version that consumers read is disabled.',
    next: "Enable that version again, or write a new value with the platform's own tools: until then whoever reads the secret gets nothing.",
  })),
  {
    what: 'a disabled newest version, to change the policy',
    row: 'the newest version is disabled',
    words: ['policy', 'azure:app/db', 'grace=2h'],
    arrange: (world: BadInputWorld) => world.disable('db'),
    code: 'not_found',
    field: 'ref',
    says: 'The newest version of azure:app/db is disabled.',
    next: 'Enable it, or set a new value with az keyvault secret set: who reads the secret gets nothing.',
  },
  {
    what: "a disabled newest version of an administrator's secret",
    row: 'the newest version is disabled',
    words: ['policy', 'azure:app/db', 'admin=azure:app/admin'],
    arrange: (world: BadInputWorld) => {
      world.write('admin', value)
      world.disable('admin')
    },
    code: 'not_found',
    field: 'keyturn-admin',
    says: "The administrator's secret: The newest version of azure:app/admin is disabled.",
    next: 'Enable it, or set a new value with az keyvault secret set: who reads the secret gets nothing.',
  },
  ...['adopt', 'put'].flatMap((command) =>
    [
      [
        { 'keyturn-role': 'staging', 'keyturn-of': 'shop.vault.azure.net/other' },
        'is the staging place of shop.vault.azure.net/other',
      ] as const,
      [{}, 'is not marked as a staging place'] as const,
    ].map(([tags, why]) => ({
      what: `a staging place that ${why}, to ${command}`,
      row: "the staging place is another secret's",
      words: [command, 'azure:app/other', ...(command === 'adopt' ? ['--rotator', 'memory-a'] : [])],
      stdin: value,
      arrange: (world: BadInputWorld) => {
        if (command === 'adopt') world.write('other', value)
        world.write('other-pending', 'not a value of ours', tags)
      },
      code: 'exists',
      field: 'ref',
      says: `${place} is there, and ${why}.`,
      next: 'Use another name for the managed secret, or another staging vault. Look first what is there: az keyvault secret list-versions --vault-name app --name other-pending.',
    })),
  ),
]
