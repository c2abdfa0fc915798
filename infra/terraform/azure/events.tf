# A vault has one system topic, in its own resource group. Where there is one already, import it.
resource "azurerm_eventgrid_system_topic" "vault" {
  for_each            = var.vaults
  name                = "${var.prefix}-${each.key}"
  resource_group_name = split("/", each.value.id)[4]
  location            = each.value.location
  source_resource_id  = each.value.id
  topic_type          = "Microsoft.KeyVault.vaults"

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_role_assignment" "events_dead_letters" {
  for_each             = var.vaults
  scope                = azurerm_storage_container.dead_letters.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_eventgrid_system_topic.vault[each.key].identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

# Only versions that are published after this is there have events. What is missed, the sweep finds.
resource "azurerm_eventgrid_system_topic_event_subscription" "rotate" {
  for_each              = var.vaults
  name                  = "${var.prefix}-rotate"
  resource_group_name   = azurerm_eventgrid_system_topic.vault[each.key].resource_group_name
  system_topic          = azurerm_eventgrid_system_topic.vault[each.key].name
  event_delivery_schema = "EventGridSchema"
  included_event_types  = ["Microsoft.KeyVault.SecretNearExpiry", "Microsoft.KeyVault.SecretExpired"]

  azure_function_endpoint {
    function_id                       = "${azurerm_function_app_flex_consumption.fleet.id}/functions/rotate"
    max_events_per_batch              = 1
    preferred_batch_size_in_kilobytes = 64
  }

  retry_policy {
    max_delivery_attempts = 30
    event_time_to_live    = 1440
  }

  storage_blob_dead_letter_destination {
    storage_account_id          = azurerm_storage_account.fleet.id
    storage_blob_container_name = azurerm_storage_container.dead_letters.name
  }

  dead_letter_identity {
    type = "SystemAssigned"
  }

  depends_on = [azurerm_role_assignment.events_dead_letters]
}

resource "azurerm_eventgrid_system_topic_event_subscription" "propagate" {
  for_each              = var.vaults
  name                  = "${var.prefix}-propagate"
  resource_group_name   = azurerm_eventgrid_system_topic.vault[each.key].resource_group_name
  system_topic          = azurerm_eventgrid_system_topic.vault[each.key].name
  event_delivery_schema = "EventGridSchema"
  included_event_types  = ["Microsoft.KeyVault.SecretNewVersionCreated"]

  azure_function_endpoint {
    function_id                       = "${azurerm_function_app_flex_consumption.fleet.id}/functions/propagate"
    max_events_per_batch              = 1
    preferred_batch_size_in_kilobytes = 64
  }

  retry_policy {
    max_delivery_attempts = 30
    event_time_to_live    = 1440
  }

  storage_blob_dead_letter_destination {
    storage_account_id          = azurerm_storage_account.fleet.id
    storage_blob_container_name = azurerm_storage_container.dead_letters.name
  }

  dead_letter_identity {
    type = "SystemAssigned"
  }

  depends_on = [azurerm_role_assignment.events_dead_letters]
}
