import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, mock } from 'node:test'
import { type PermissionsWish, type permissionFormats, principals } from '../../shared/core/ports/permissions.js'
import { type Call, CallError, calls } from '../../shared/stores/azure-key-vault/errors.js'
import { setupError } from '../../shared/stores/azure-key-vault/explain.js'
import { permissionsOf } from '../../shared/stores/azure-key-vault/permissions.js'
import { stores } from '../../shared/stores/registry.js'
import { callsOfAz, type Held, heldAfter, heldByTerraform, storageId, vaultId } from '../harness/azure-granted.js'
import { callCommand } from '../harness/command-call.js'
import { whyMissing } from '../harness/programs.js'
import { type Module, problemsOf, readModule } from '../harness/terraform-module.js'

const who = {
  PERSON: '00000000-0000-4000-8000-00000000000a',
  FUNCTION: '00000000-0000-4000-8000-00000000000f',
  CONSUMER: '00000000-0000-4000-8000-00000000000c',
}
const account = { STORAGE_ACCOUNT: 'journals' }
const values = {
  keyturn_person: who.PERSON,
  keyturn_function: who.FUNCTION,
  keyturn_consumer: who.CONSUMER,
  keyturn_vault_shop: vaultId('shop'),
  keyturn_vault_other: vaultId('other'),
  keyturn_vault_staging: vaultId('staging'),
  keyturn_vault_shop_vault_azure_cn: vaultId('shop'),
  keyturn_storage_account: storageId('journals'),
}
type Environment = Readonly<Record<string, string>>
interface Case {
  readonly wish: PermissionsWish
  readonly environment: Environment
}
const wish: PermissionsWish = { refText: 'azure:shop/db', principals, destroysLater: false }
const elsewhere = { administrator: 'azure:other/pg-admin', configuration: 'azure:other/config' }
const staging = { KEYTURN_AZURE_STAGING_VAULT: 'staging' }
const cases: Readonly<Record<string, Case>> = {
  'a secret': { wish, environment: {} },
  'with a staging vault': { wish, environment: staging },
  'with an administrator and a configuration in another vault': { wish: { ...wish, ...elsewhere }, environment: {} },
  'with those and a staging vault': { wish: { ...wish, ...elsewhere }, environment: staging },
  'with an administrator that is the configuration': {
    wish: { ...wish, administrator: elsewhere.configuration, configuration: elsewhere.configuration },
    environment: {},
  },
  'with other vaults, and an account and a container by name': {
    wish: { ...wish, refText: 'https://shop.vault.azure.net/secrets/Db-1' },
    environment: { KEYTURN_AZURE_VAULTS: 'shop other', KEYTURN_AZURE_STORAGE: 'journals', KEYTURN_AZURE_CONTAINER: 'secrets-of-shop' },
  },
  'of another cloud': { wish: { ...wish, refText: 'azure:shop.vault.azure.cn/db' }, environment: {} },
  'with a key of the account': {
    wish,
    environment: {
      AzureWebJobsStorage: 'DefaultEndpointsProtocol=https;AccountName=journals;AccountKey=a2V5;EndpointSuffix=core.windows.net',
    },
  },
}
const textOf = ({ wish: one, environment }: Case, format: (typeof permissionFormats)[number]): string =>
  `${permissionsOf(one, environment).lines(format).join('\n')}\n`
const shellHeld = (one: Case): readonly Held[] => heldAfter(callsOfAz(textOf(one, 'shell'), { ...who, ...account }))
async function moduleOf(text: string): Promise<Module> {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-permissions-'))
  try {
    writeFileSync(join(folder, 'permissions.tf'), text)
    return await readModule(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
const sorted = (held: readonly Held[]): readonly string[] =>
  held.map(({ member, on, permissions }) => [member, on, ...permissions].join(' ')).sort()
const shownOf = (id: string): string => id.replace(/^.*\/providers\//, '')
const headsIn = (text: string): readonly string[] => [...text.matchAll(/^(?:resource|data|variable) .*(?= \{$)/gm)].map(([head]) => head)

/** Of the provider's own description: what a resource may have, and what it must. */
const schemas = {
  azurerm_role_definition: {
    name: { required: true },
    scope: { required: true },
    description: {},
    assignable_scopes: {},
    role_definition_id: {},
    permissions: { block: { actions: {}, data_actions: {}, not_actions: {}, not_data_actions: {} } },
  },
  azurerm_role_assignment: {
    scope: { required: true },
    principal_id: { required: true },
    principal_type: {},
    role_definition_id: {},
    role_definition_name: {},
    condition: {},
    condition_version: {},
    description: {},
    skip_service_principal_aad_check: {},
  },
}
const schemaOf = (type: string) =>
  type === 'azurerm_role_definition' || type === 'azurerm_role_assignment' ? schemas[type] : assert.fail(type)

describe('permissions of Azure as commands and for Terraform', () => {
  for (const [name, one] of Object.entries(cases)) {
    it(`grant the same, and what the answer says: ${name}`, async () => {
      const byShell = shellHeld(one)
      assert.ok(byShell.length >= 6)
      assert.deepEqual(sorted(heldByTerraform(await moduleOf(textOf(one, 'terraform')), values)), sorted(byShell))
      const principalOf = new Map(Object.entries(who).map(([key, member]) => [member, key.toLowerCase()]))
      assert.deepEqual(
        permissionsOf(one.wish, one.environment).grants.map(({ to, on, permissions }) => [
          to,
          on.replace('STORAGE_ACCOUNT', 'journals'),
          permissions,
        ]),
        byShell.map(({ member, on, permissions }) => [principalOf.get(member), shownOf(on), permissions]),
      )
    })

    it(`are resources that the provider has, each once: ${name}`, async () => {
      const text = textOf(one, 'terraform')
      for (const head of headsIn(text)) assert.match(head, /^\w+( "[a-z_0-9]+")? "[A-Za-z_][\w-]*"$/)
      assert.deepEqual([...new Set(headsIn(text))], headsIn(text))
      const { resources } = await moduleOf(text)
      assert.deepEqual(
        resources.flatMap(({ type, name: label, body }) => problemsOf(body, schemaOf(type), label)),
        [],
      )
    })
  }

  it('are as terraform fmt writes them', { skip: whyMissing('terraform') }, () => {
    for (const one of Object.values(cases)) {
      const { status, stdout, stderr } = spawnSync('terraform', ['fmt', '-check', '-diff', '-no-color', '-'], {
        input: textOf(one, 'terraform'),
        encoding: 'utf8',
      })
      assert.equal(status, 0, `${stdout}${stderr}`)
    }
  })

  it('never grant twice what a whole vault has, and no principal anything else on a vault than to list it but a person', () => {
    for (const one of Object.values(cases)) {
      const held = shellHeld(one)
      for (const { member, on, permissions } of held) {
        const wider = held.filter((other) => other.member === member && on.startsWith(`${other.on}/`))
        const twice = permissions.filter((permission) => wider.some((other) => other.permissions.includes(permission)))
        assert.deepEqual(twice, [], on)
        if (member !== who.PERSON && /\/vaults\/[^/]+$/.test(on))
          assert.deepEqual(permissions, ['Microsoft.KeyVault/vaults/secrets/readMetadata/action'])
      }
    }
  })

  it('are on the vaults that a listing shows, and on no more of the storage account than its container', () => {
    const one = cases['with other vaults, and an account and a container by name'] ?? assert.fail()
    const of = (member: string) => shellHeld(one).filter((held) => held.member === member)
    assert.deepEqual(
      of(who.FUNCTION).map(({ on }) => shownOf(on).replace(/^Microsoft\.\w+\//, '')),
      [
        'vaults/shop/secrets/db-1',
        'vaults/shop/secrets/db-1-pending',
        'vaults/shop',
        'vaults/other',
        'storageAccounts/journals/blobServices/default/containers/secrets-of-shop',
      ],
    )
  })

  it('pass a member through as it is', async () => {
    const one = { wish: { ...wish, principals: ['function'] as const, member: who.FUNCTION.toUpperCase() }, environment: {} }
    const byShell = heldAfter(callsOfAz(textOf(one, 'shell'), account))
    for (const held of [byShell, heldByTerraform(await moduleOf(textOf(one, 'terraform')), { ...values, keyturn_function: 'nobody' })])
      assert.deepEqual([...new Set(held.map(({ member }) => member))], [who.FUNCTION.toUpperCase()])
  })

  for (const name of ['PERSON', 'FUNCTION', 'CONSUMER', 'STORAGE_ACCOUNT'] as const)
    it(`grant nothing more where nobody has set ${name}`, () => {
      const others = Object.fromEntries(Object.entries({ ...who, ...account }).filter(([key]) => key !== name))
      assert.throws(() => callsOfAz(textOf({ wish, environment: {} }, 'shell'), others), new RegExp(name))
    })

  it('need no role in a storage account whose key is in the settings, and say so', () => {
    const one = cases['with a key of the account'] ?? assert.fail()
    assert.ok(shellHeld(one).every(({ on }) => on.includes('/Microsoft.KeyVault/')))
    assert.match(notes(one), /^Not included: the journals\. KEYTURN_AZURE_STORAGE, .* holds a key of the storage account/m)
    assert.doesNotMatch(textOf(one, 'shell') + textOf(one, 'terraform'), /a2V5|STORAGE_ACCOUNT/)
  })

  it('leave the configuration and the administrator of another store to that store, and say so', () => {
    for (const [other, note] of [
      [{ configuration: 'file:config' }, 'Not included: KEYTURN_CONFIG names file:config, which is not in Azure Key Vault.'],
      [{ administrator: 'aws:pg\nadmin' }, 'Not included: --admin names aws:pg admin, which is not in Azure Key Vault.'],
      [{ administrator: 'pg-admin' }, 'Not included: --admin names pg-admin, which is not in Azure Key Vault.'],
    ] as const) {
      const found = permissionsOf({ ...wish, ...other }, {})
      assert.deepEqual(found.grants, permissionsOf(wish, {}).grants)
      assert.ok(found.notes.includes(note), found.notes.join('\n'))
    }
  })

  const notes = ({ wish: one, environment }: Case): string => permissionsOf(one, environment).notes.join('\n')
  it('say who is meant, in which order to grant, and what is not included', () => {
    const said = notes({ wish, environment: {} })
    assert.match(said, /^function: the identity of the function app that rotates\.$/m)
    assert.match(said, /^Order: 1\. the container keyturn: .*, 2\. the grants of the person, 3\. keyturn adopt,.* 4\. .* db-pending,/m)
    assert.match(said, /^Not included: companions of the secret, and writing the configuration secret\./m)
    assert.match(said, /^A vault that uses access policies ignores these roles:/m)
    assert.match(said, /4000 role assignments/)
    const consumer = notes({ wish: { ...wish, principals: ['consumer'] }, environment: {} })
    assert.doesNotMatch(consumer, /Order|4000|companions/)
  })
  it('say what isolates the staging places: a second vault', () => {
    for (const one of [wish, { ...wish, principals: ['consumer'] as const }]) {
      assert.match(
        notes({ wish: one, environment: {} }),
        /whole vault\..* would read db-pending, too.* set KEYTURN_AZURE_STAGING_VAULT\.$/m,
      )
      assert.match(
        notes({ wish: one, environment: staging }),
        /^The staging places are in the vault staging: grant no consumer anything there\.$/m,
      )
    }
  })
  it('have every note as a comment, in both formats; for Terraform also what a second secret must omit', () => {
    const said = permissionsOf(wish, {}).notes
    for (const format of ['shell', 'terraform'] as const)
      assert.deepEqual(
        textOf({ wish, environment: {} }, format).split('\n').slice(0, said.length),
        said.map((note) => `# ${note}`),
      )
    const first = textOf({ wish, environment: {} }, 'terraform')
    const second = headsIn(textOf({ wish: { ...wish, refText: 'azure:shop/other' }, environment: {} }, 'terraform'))
    const twice = headsIn(first).filter((head) => second.includes(head))
    const kinds = twice.map((head) => /^variable|^data|role_definition|_shop_(?:list|work|recover)|_container_/.exec(head)?.[0])
    assert.deepEqual([...new Set(kinds)].sort(), [
      '_container_',
      '_shop_list',
      '_shop_recover',
      '_shop_work',
      'data',
      'role_definition',
      'variable',
    ])
    assert.match(first, /^# For a second secret in the same module, omit .*: the variables, data azurerm_subscription, the custom roles,$/m)
  })
})

describe('keyturn permissions of Azure', () => {
  const run = async (words: readonly string[], env: Environment = {}) => {
    const { code, stdout } = await callCommand(['permissions', ...words, '--json'], { env })
    return { code, answer: JSON.parse(stdout) }
  }

  it('opens no store, and asks nobody', async () => {
    const open = mock.method(stores.azure, 'open', () => assert.fail('it opened the store'))
    const { code, answer } = await run(['azure:db'], { KEYTURN_AZURE_VAULTS: 'shop', KEYTURN_CONFIG: 'azure:config' })
    open.mock.restore()
    const { ok, ref, grants, text } = answer
    assert.deepEqual([code, ok, ref, open.mock.callCount()], [0, true, 'azure:shop/db', 0])
    assert.ok(grants.some(({ on }: { on: string }) => on === 'Microsoft.KeyVault/vaults/shop/secrets/config'))
    assert.match(text, /^az role assignment create /m)
  })

  for (const [field, value] of [
    ['KEYTURN_AZURE_VAULTS', 'My_Shop'],
    ['KEYTURN_AZURE_STAGING_VAULT', 'one two'],
    ['KEYTURN_AZURE_STORAGE', 'http://journals'],
    ['KEYTURN_AZURE_CONTAINER', 'A$(touch here)'],
  ] as const)
    it(`refuses settings of the process that are malformed: ${field}`, async () => {
      const { code, answer } = await run(['azure:shop/db'], { [field]: value })
      assert.deepEqual([code, answer.error.code, answer.error.field], [2, 'bad_config', field])
    })

  for (const [words, field, next] of [
    [['azure:db'], 'ref', /KEYTURN_AZURE_VAULTS/],
    [['azure:shop/a b'], 'ref', /azure:VAULT\/NAME/],
    [['azure:shop/a/b'], 'ref', /azure:VAULT\/NAME/],
    [['azure:$(touch here)/db'], 'ref', /azure:VAULT\/NAME/],
    [["azure:shop/db';touch here"], 'ref', /azure:VAULT\/NAME/],
    [['azure:shop/db\n'], 'ref', /azure:VAULT\/NAME/],
    [['azure:shop/db', '--admin', 'azure:a_b/c'], 'admin', /azure:VAULT\/NAME/],
    [['azure:shop/db-pending'], 'ref', /the secret itself/],
    [[`azure:shop/${'x'.repeat(120)}`], 'ref', /at most 119 characters/],
    [['azure:shop/db', '--destroys-later'], 'destroys-later', /Omit/],
    [['azure:shop/db', '--member', who.CONSUMER], 'member', /--for/],
    ...['ann@example.com', 'everybody', `${who.CONSUMER}\n`, `{${who.CONSUMER}}`, `${who.CONSUMER.slice(1)}`, '$(touch here)'].map(
      (member) => [['azure:shop/db', '--for', 'consumer', '--member', member], 'member', /object id/] as const,
    ),
    [['azure:shop/db', '--for', 'nobody'], 'for', /person, function, consumer/],
    [['azure:shop/db', '--format', 'yaml'], 'format', /shell, terraform/],
  ] as const) {
    it(`refuses ${JSON.stringify(words.join(' ').slice(0, 90))}, and says what to do`, async () => {
      const { code, answer } = await run([...words])
      assert.deepEqual([code, answer.error.code, answer.error.field], [2, 'bad_event', field])
      assert.match(answer.error.next, next)
      assert.doesNotMatch(answer.error.message, /\n/)
    })
  }
})

describe('a refusal for want of a permission', () => {
  const ofCalls: Readonly<Record<Call, string>> = {
    getSecret: 'secrets/getSecret/action',
    getVersion: 'secrets/getSecret/action',
    listVersions: 'secrets/readMetadata/action',
    listSecrets: 'secrets/readMetadata/action',
    setSecret: 'secrets/setSecret/action',
    updateVersion: 'secrets/update/action',
    getDeletedSecret: 'secrets/readMetadata/action',
    recoverSecret: 'secrets/recover/action',
    readBlob: 'blobs/read',
    writeBlob: 'blobs/write',
    deleteBlob: 'blobs/delete',
    listBlobs: 'blobs/read',
    createContainer: 'containers/write',
    acquireLease: 'blobs/write',
    changeLease: 'blobs/write',
    renewLease: 'blobs/write',
    releaseLease: 'blobs/write',
  }
  for (const call of Object.keys(calls) as Call[])
    it(`names it: ${call}`, () => {
      const error = setupError(new CallError(call, { statusCode: 403, code: 'Refused' }), { shown: 'azure:shop/db', host: 'the host' })
      assert.equal(error?.code, 'denied')
      assert.ok(error.message.startsWith(`${ofCalls[call]} is denied on `), error.message)
      assert.match(error.next, /keyturn permissions azure:shop\/db prints what is needed/)
    })

  for (const [shown, next] of [
    ['azure:shop/db-pending', /keyturn permissions with the secret of that staging place prints/],
    ['azure:shop', /keyturn permissions with one of its secrets prints/],
    ['azure:shop/', /keyturn permissions with one of its secrets prints/],
  ] as const)
    it(`advises no command that would be refused: ${shown}`, () => {
      const call = shown.endsWith('/') ? 'listBlobs' : 'listSecrets'
      const error = setupError(new CallError(call, { statusCode: 403, code: 'Refused' }), { shown, host: 'the host' })
      assert.match(error?.next ?? '', next)
    })
})
