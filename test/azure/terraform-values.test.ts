import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { whyMissing } from '../harness/programs.js'
import { evaluated } from '../harness/terraform-evaluated.js'
import { type Module, readModule } from '../harness/terraform-module.js'

const folder = 'infra/terraform/azure'
const vault = (name: string): string => `/subscriptions/S/resourceGroups/R/providers/Microsoft.KeyVault/vaults/${name}`
const server = (provider: string): string => `/subscriptions/T/resourceGroups/R/providers/Microsoft.DBfor${provider}/flexibleServers/main`
const least = { location: 'westeurope', archive: 'app.zip', prefix: 'shop' }
const most = {
  ...least,
  vaults: {
    'shop-prod': { id: vault('shop-prod'), location: 'westeurope', secrets: ['a', 'b'] },
    'shop-test': { id: vault('shop-test'), location: 'westeurope' },
  },
  configuration: `${vault('shop-prod')}/secrets/config`,
  public_set: `${vault('shop-prod')}/secrets/set`,
  invokers: ['00000000-0000-4000-8000-000000000001'],
  entra_application: '00000000-0000-4000-8000-000000000002',
  flexible_servers: [server('PostgreSQL'), server('MySQL')],
  look_minutes: 60,
  held_hours: 48,
  timeout_minutes: 60,
}
/** What the provider would give. */
const stubs = {
  'azurerm_resource_group.this.id': '/subscriptions/S/resourceGroups/shop',
  'azurerm_storage_account.fleet.name': 'shopfleet',
  'azurerm_user_assigned_identity.fleet.client_id': 'a-client',
  'azurerm_key_vault.staging.name': 'shop-staging',
  'azurerm_storage_container.journals.name': 'keyturn',
  'azurerm_storage_queue.work.name': 'keyturn-work',
  'one(azurerm_storage_account.jwks[*].name)': 'shopjwks',
  'one(azurerm_user_assigned_identity.jwks[*].client_id)': 'another-client',
}

describe('what Terraform makes of infra/terraform/azure', { skip: whyMissing('terraform') }, () => {
  let module: Module
  before(async () => {
    module = await readModule(folder)
  })
  const bodyOf = (type: string, name: string) =>
    (module.resources.find((one) => one.type === type && one.name === name) ?? assert.fail(name)).body
  const make = (variables: Readonly<Record<string, unknown>>) =>
    evaluated(
      folder,
      module,
      {
        settings: bodyOf('azurerm_function_app_flex_consumption', 'fleet').app_settings,
        jwks: '${local.jwks_host}',
        granted: ['${local.whole}', '${local.single}'],
        groups: bodyOf('azurerm_role_assignment', 'fleet_flexible_operation').for_each,
        subscriptions: '${local.subscriptions}',
        windows: [
          '${local.two_looks}',
          '${local.silence}',
          bodyOf('azurerm_monitor_scheduled_query_rules_alert_v2', 'held').window_duration,
        ],
      },
      { variables, stubs },
    )
  const valuesOf = (variables: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
    const made = make(variables)
    return 'values' in made ? made.values : assert.fail(made.refused)
  }
  const chosen = (settings: unknown): Readonly<Record<string, unknown>> =>
    Object.fromEntries(Object.entries(settings as object).filter(([name]) => /^KEYTURN_|Timeout|__accountName/.test(name)))

  it('with the fewest variables, is an app that looks every five minutes, at nothing yet', () => {
    const { settings, ...others } = valuesOf(least)
    assert.deepEqual(chosen(settings), {
      AzureFunctionsJobHost__functionTimeout: '00:10:00',
      AzureWebJobsStorage__accountName: 'shopfleet',
      KEYTURN_AZURE_CONTAINER: 'keyturn',
      KEYTURN_AZURE_STAGING_VAULT: 'shop-staging',
      KEYTURN_AZURE_VAULTS: '',
      KEYTURN_QUEUE: 'keyturn-work',
      KEYTURN_SCHEDULE: '0 */5 * * * *',
    })
    const windows = ['PT10M', 'PT30M', 'PT6H']
    assert.deepEqual(others, { jwks: {}, granted: [{}, {}], groups: [], subscriptions: ['/subscriptions/S'], windows })
  })

  it('with all of them, has each where it belongs', () => {
    const { settings, jwks, granted, groups, subscriptions, windows } = valuesOf(most)
    assert.deepEqual(chosen(settings), {
      AzureFunctionsJobHost__functionTimeout: '01:00:00',
      AzureWebJobsStorage__accountName: 'shopfleet',
      KEYTURN_AZURE_CONTAINER: 'keyturn',
      KEYTURN_AZURE_STAGING_VAULT: 'shop-staging',
      KEYTURN_AZURE_VAULTS: 'shop-prod shop-test',
      KEYTURN_CONFIG: 'azure:shop-prod/config',
      KEYTURN_INVOKERS: '00000000-0000-4000-8000-000000000001',
      KEYTURN_QUEUE: 'keyturn-work',
      KEYTURN_SCHEDULE: '0 0 * * * *',
    })
    assert.deepEqual(chosen(jwks), { AzureWebJobsStorage__accountName: 'shopjwks', KEYTURN_JWKS: 'azure:shop-prod/set' })
    assert.deepEqual(granted, [
      { 'shop-test': vault('shop-test') },
      { 'shop-prod/a': `${vault('shop-prod')}/secrets/a`, 'shop-prod/b': `${vault('shop-prod')}/secrets/b` },
    ])
    assert.deepEqual([groups, subscriptions], [['/subscriptions/T/resourceGroups/R'], ['/subscriptions/S', '/subscriptions/T']])
    assert.deepEqual(windows, ['PT2H', 'PT3H', 'P2D'])
  })

  const wrong: Readonly<Record<string, readonly [unknown, RegExp]>> = {
    prefix: ['sh--op', /The prefix has/],
    look_minutes: [7, /The minutes are one of/],
    timeout_minutes: [9, /The minutes are 10 to 60/],
    held_hours: [7, /The hours are one of/],
    vaults: [{ x: { id: vault('y'), location: 'w' } }, /A vault is its resource id/],
    administrators: [['azure:app/x'], /An administrator is the resource id/],
    configuration: ['azure:app/x', /The configuration is the resource id/],
    public_set: ['azure:app/x', /The public set is the resource id/],
    consumer_topics: [['x'], /A topic is its resource id/],
    flexible_servers: [['x'], /A server is its resource id/],
    invokers: [['ann@example.com'], /An invoker is an object id/],
  }
  for (const [name, [value, says]] of Object.entries(wrong))
    it(`refuses what no ${name} is`, () => {
      const made = make({ ...least, [name]: value })
      assert.match('refused' in made ? made.refused : 'It took that.', says)
    })
})
