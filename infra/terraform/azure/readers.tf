# Values that are only read.
resource "azurerm_role_assignment" "fleet_administrator" {
  for_each           = toset(var.administrators)
  scope              = each.value
  role_definition_id = azurerm_role_definition.read.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "fleet_configuration" {
  count              = var.configuration == null ? 0 : 1
  scope              = var.configuration
  role_definition_id = azurerm_role_definition.read.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "fleet_configuration_list" {
  count              = var.configuration == null ? 0 : 1
  scope              = var.configuration
  role_definition_id = azurerm_role_definition.list.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}

# Change events go to the topics of consumers, where there are any.
resource "azurerm_role_assignment" "fleet_topic" {
  for_each             = toset(var.consumer_topics)
  scope                = each.value
  role_definition_name = "EventGrid Data Sender"
  principal_id         = azurerm_user_assigned_identity.fleet.principal_id
  principal_type       = "ServicePrincipal"
}
