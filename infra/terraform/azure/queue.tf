# Messages carry the name of a secret, an action and a time. How they are delivered is in host.json: 20 attempts, the next one after a minute.
resource "azurerm_storage_queue" "work" {
  name               = "keyturn-work"
  storage_account_id = azurerm_storage_account.fleet.id
}

# The host puts there what failed too often, by the name of the queue.
resource "azurerm_storage_queue" "poison" {
  name               = "keyturn-work-poison"
  storage_account_id = azurerm_storage_account.fleet.id
}

resource "azurerm_role_assignment" "fleet_queue" {
  scope              = "${azurerm_storage_account.fleet.id}/queueServices/default/queues/${azurerm_storage_queue.work.name}"
  role_definition_id = azurerm_role_definition.queue.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "fleet_poison" {
  scope                = "${azurerm_storage_account.fleet.id}/queueServices/default/queues/${azurerm_storage_queue.poison.name}"
  role_definition_name = "Storage Queue Data Message Sender"
  principal_id         = azurerm_user_assigned_identity.fleet.principal_id
  principal_type       = "ServicePrincipal"
}
