# What the functions may do with the secrets of var.vaults: with all of a vault, as the platform advises, or with those alone that are named. The module
# makes no secret and holds no value.
locals {
  whole = { for name, one in var.vaults : name => one.id if one.secrets == null }
  single = merge([
    for name, one in var.vaults : { for secret in coalesce(one.secrets, []) : "${name}/${secret}" => "${one.id}/secrets/${secret}" }
  ]...)
}

resource "azurerm_role_assignment" "fleet_vault" {
  for_each           = local.whole
  scope              = each.value
  role_definition_id = azurerm_role_definition.work.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "fleet_secret" {
  for_each           = local.single
  scope              = each.value
  role_definition_id = azurerm_role_definition.work.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}

# On the vault, where the platform asks for it: a listing has names and tags of all its secrets, and no value.
resource "azurerm_role_assignment" "fleet_list" {
  for_each           = var.vaults
  scope              = each.value.id
  role_definition_id = azurerm_role_definition.list.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}
