# Servers whose administrator the rotator azure-flexible-server rotates. Whoever may write a server may change everything about it: the platform has no
# action for the password alone. On a server of the one kind, the actions of the other mean nothing.
resource "azurerm_role_definition" "flexible_server" {
  name              = "${var.prefix}: set the password of a flexible server"
  scope             = local.subscriptions[0]
  assignable_scopes = local.subscriptions

  permissions {
    actions = [
      "Microsoft.DBforPostgreSQL/flexibleServers/read",
      "Microsoft.DBforPostgreSQL/flexibleServers/write",
      "Microsoft.DBforMySQL/flexibleServers/read",
      "Microsoft.DBforMySQL/flexibleServers/write",
    ]
  }
}

resource "azurerm_role_definition" "flexible_operation" {
  name              = "${var.prefix}: look at operations of flexible servers"
  scope             = local.subscriptions[0]
  assignable_scopes = local.subscriptions

  permissions {
    actions = [
      "Microsoft.DBforPostgreSQL/locations/azureAsyncOperation/read",
      "Microsoft.DBforPostgreSQL/locations/operationResults/read",
      "Microsoft.DBforMySQL/locations/azureAsyncOperation/read",
      "Microsoft.DBforMySQL/locations/operationResults/read",
    ]
  }
}

resource "azurerm_role_assignment" "fleet_flexible_server" {
  for_each           = toset(var.flexible_servers)
  scope              = each.value
  role_definition_id = azurerm_role_definition.flexible_server.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}

# On the resource group of a server, as the platform documents it: an operation is not under its server.
resource "azurerm_role_assignment" "fleet_flexible_operation" {
  for_each           = toset([for one in var.flexible_servers : join("/", slice(split("/", one), 0, 5))])
  scope              = each.value
  role_definition_id = azurerm_role_definition.flexible_operation.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}
