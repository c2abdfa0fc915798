resource "azurerm_log_analytics_workspace" "this" {
  name                = var.prefix
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku                 = "PerGB2018"
  retention_in_days   = var.log_days
}

# What the functions print, as traces. It takes them from the identities of the apps, and from no key.
resource "azurerm_application_insights" "this" {
  name                          = var.prefix
  resource_group_name           = azurerm_resource_group.this.name
  location                      = azurerm_resource_group.this.location
  workspace_id                  = azurerm_log_analytics_workspace.this.id
  application_type              = "Node.JS"
  local_authentication_disabled = true
}

resource "azurerm_role_assignment" "fleet_telemetry" {
  scope                = azurerm_application_insights.this.id
  role_definition_name = "Monitoring Metrics Publisher"
  principal_id         = azurerm_user_assigned_identity.fleet.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "jwks_telemetry" {
  count                = var.public_set == null ? 0 : 1
  scope                = azurerm_application_insights.this.id
  role_definition_name = "Monitoring Metrics Publisher"
  principal_id         = azurerm_user_assigned_identity.jwks[0].principal_id
  principal_type       = "ServicePrincipal"
}

# What is put into the queues, by whom: the host moves messages by itself, and the functions print no line about that.
resource "azurerm_monitor_diagnostic_setting" "queues" {
  name                       = "${var.prefix}-queues"
  target_resource_id         = "${azurerm_storage_account.fleet.id}/queueServices/default"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category = "StorageWrite"
  }
}
