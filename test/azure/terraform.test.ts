import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { blockOf, textOf, writtenIn } from '../harness/terraform-module.js'
import { moduleTests } from '../harness/terraform-suite.js'

describe('infra/terraform/azure, as it is written', () => {
  const { module, example, texts } = moduleTests({
    folder: 'infra/terraform/azure',
    example: 'infra/terraform/azure/examples/shop',
    schemas: 'test/data/terraform-azurerm.json',
    provider: { name: 'azurerm', source: 'hashicorp/azurerm', version: '>= 4.55, < 5.0' },
    computed: {
      azurerm_user_assigned_identity: ['principal_id', 'client_id', 'tenant_id'],
      azurerm_role_definition: ['role_definition_resource_id'],
      azurerm_storage_account: ['primary_blob_endpoint'],
      azurerm_function_app_flex_consumption: ['default_hostname'],
      azurerm_application_insights: ['connection_string'],
      azurerm_eventgrid_system_topic: ['identity[0].principal_id'],
    },
    page: 'docs/azure.md',
  })
  const allOf = (type: string) => module().resources.filter((one) => one.type === type)

  it('closes storage accounts to keys, to plain http and to everybody', () => {
    const accounts = allOf('azurerm_storage_account')
    assert.equal(accounts.length, 2)
    for (const { body, name } of accounts) {
      const {
        https_traffic_only_enabled,
        min_tls_version,
        allow_nested_items_to_be_public,
        shared_access_key_enabled,
        local_user_enabled,
      } = body
      assert.deepEqual(
        [https_traffic_only_enabled, min_tls_version, allow_nested_items_to_be_public, shared_access_key_enabled, local_user_enabled],
        [true, 'TLS1_2', false, false, false],
        name,
      )
    }
    const containers = allOf('azurerm_storage_container')
    assert.equal(containers.length, 4)
    for (const { body } of containers) assert.equal(body.container_access_type, 'private')
    assert.doesNotMatch(texts(), /primary_access_key|primary_connection_string|storage_access_key|StorageAccountConnectionString/)
  })

  it('gives vaults roles alone, and takes back what was deleted', () => {
    for (const { body } of [...allOf('azurerm_key_vault'), ...example().resources.filter(({ type }) => type === 'azurerm_key_vault')]) {
      assert.equal(body.rbac_authorization_enabled, true)
      assert.equal(body.purge_protection_enabled, true)
    }
    assert.doesNotMatch(texts(), /azurerm_key_vault_secret"|access_policy/)
  })

  it('gives every app https, an identity of its own, a plan and an account of its own', () => {
    const apps = allOf('azurerm_function_app_flex_consumption')
    assert.deepEqual(apps.map(({ name }) => name).sort(), ['fleet', 'jwks'])
    for (const { name, body } of apps) {
      const own = name === 'jwks' ? 'jwks[0]' : name
      assert.equal(body.https_only, true)
      assert.deepEqual(blockOf(body, 'identity').identity_ids, [`\${azurerm_user_assigned_identity.${own}.id}`])
      assert.equal(body.storage_user_assigned_identity_id, `\${azurerm_user_assigned_identity.${own}.id}`)
      assert.equal(body.storage_authentication_type, 'UserAssignedIdentity')
      assert.equal(body.service_plan_id, `\${azurerm_service_plan.${own}.id}`)
      assert.match(textOf(body, 'storage_container_endpoint'), new RegExp(`^\\$\\{azurerm_storage_account\\.${name}(\\[0\\])?\\.primary`))
      assert.equal(blockOf(body, 'site_config').minimum_tls_version, '1.2')
    }
  })

  it('has one variable for all that is closed to networks', () => {
    assert.equal(module().locals.get('network'), '${var.firewall ? "Deny" : "Allow"}')
    const fleet = allOf('azurerm_storage_account').find(({ name }) => name === 'fleet')?.body ?? assert.fail()
    assert.equal(blockOf(fleet, 'network_rules').default_action, '${local.network}')
    const vault = allOf('azurerm_key_vault')[0]?.body ?? assert.fail()
    assert.equal(blockOf(vault, 'network_acls').default_action, '${local.network}')
    const app = allOf('azurerm_function_app_flex_consumption').find(({ name }) => name === 'fleet')?.body ?? assert.fail()
    assert.equal(blockOf(app, 'site_config').ip_restriction_default_action, '${local.network}')
    assert.match(writtenIn(blockOf(app, 'site_config').dynamic), /AzureEventGrid/)
  })

  it('takes a prefix whose names the platform takes', () => {
    const { condition } = blockOf(module().variables.get('prefix') ?? {}, 'validation')
    const form = new RegExp(/regex\("([^"]+)"/.exec(String(condition))?.[1] ?? assert.fail())
    const takes = (prefix: string): boolean => form.test(prefix) && prefix.length <= 16
    for (const prefix of ['shop', 'shop-keyturn', 'a'.repeat(16)]) {
      assert.ok(takes(prefix), prefix)
      assert.match(`${prefix}-staging`, /^[a-z](?:[a-z0-9]|-[a-z0-9]){2,23}$/)
      assert.ok(`${prefix}-staging`.length <= 24)
      for (const app of ['fleet', 'jwks']) assert.match(`${prefix.replaceAll('-', '')}${app}`, /^[a-z0-9]{3,24}$/)
    }
    for (const prefix of ['abc', 'Shop', 'shop-', 'sh--op', '1shop', 'a'.repeat(17)]) assert.ok(!takes(prefix), prefix)
  })
})
