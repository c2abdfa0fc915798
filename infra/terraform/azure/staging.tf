# The vault of all staging places, which have values that nobody has tested yet. Grant no consumer anything here: roles are given on whole vaults.
resource "azurerm_key_vault" "staging" {
  name                       = "${var.prefix}-staging"
  resource_group_name        = azurerm_resource_group.this.name
  location                   = azurerm_resource_group.this.location
  tenant_id                  = azurerm_user_assigned_identity.fleet.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  soft_delete_retention_days = 90

  network_acls {
    default_action             = local.network
    bypass                     = "None"
    virtual_network_subnet_ids = var.subnet_id == null ? [] : [var.subnet_id]
    ip_rules                   = var.addresses
  }
}

resource "azurerm_role_assignment" "fleet_staging" {
  scope              = azurerm_key_vault.staging.id
  role_definition_id = azurerm_role_definition.work.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "fleet_staging_list" {
  scope              = azurerm_key_vault.staging.id
  role_definition_id = azurerm_role_definition.list.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}
