locals {
  network = var.firewall ? "Deny" : "Allow"
}

# What the host of the fleet keeps: its leases and keys, the archive, the queues, the journals and the dead letters of Event Grid. Keys of the account do
# not count.
resource "azurerm_storage_account" "fleet" {
  name                            = "${replace(var.prefix, "-", "")}fleet"
  resource_group_name             = azurerm_resource_group.this.name
  location                        = azurerm_resource_group.this.location
  account_tier                    = "Standard"
  account_replication_type        = var.replication
  https_traffic_only_enabled      = true
  min_tls_version                 = "TLS1_2"
  allow_nested_items_to_be_public = false
  shared_access_key_enabled       = false
  local_user_enabled              = false
  default_to_oauth_authentication = true

  # Event Grid and the logs of the queue service come as trusted services.
  network_rules {
    default_action             = local.network
    bypass                     = ["AzureServices"]
    virtual_network_subnet_ids = var.subnet_id == null ? [] : [var.subnet_id]
    ip_rules                   = var.addresses
  }

  # A journal that somebody removed can be had back.
  blob_properties {
    versioning_enabled = true

    delete_retention_policy {
      days = 30
    }
    container_delete_retention_policy {
      days = 30
    }
  }

  lifecycle {
    precondition {
      condition     = !var.firewall || var.subnet_id != null
      error_message = "With the firewall, the functions reach their storage and the staging vault by subnet_id alone."
    }
  }
}

resource "azurerm_storage_container" "archive" {
  name                  = "archive"
  storage_account_id    = azurerm_storage_account.fleet.id
  container_access_type = "private"
}

resource "azurerm_storage_container" "journals" {
  name                  = "keyturn"
  storage_account_id    = azurerm_storage_account.fleet.id
  container_access_type = "private"
}

resource "azurerm_storage_container" "dead_letters" {
  name                  = "dead-letters"
  storage_account_id    = azurerm_storage_account.fleet.id
  container_access_type = "private"
}

# The platform's role for the account of a host, on the account: the host makes containers in it by itself.
resource "azurerm_role_assignment" "fleet_host" {
  scope                = azurerm_storage_account.fleet.id
  role_definition_name = "Storage Blob Data Owner"
  principal_id         = azurerm_user_assigned_identity.fleet.principal_id
  principal_type       = "ServicePrincipal"
}

# The same as a right of the code, which holds where the journals are moved to another account.
resource "azurerm_role_assignment" "fleet_journals" {
  scope              = azurerm_storage_container.journals.id
  role_definition_id = azurerm_role_definition.journal.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.fleet.principal_id
  principal_type     = "ServicePrincipal"
}
