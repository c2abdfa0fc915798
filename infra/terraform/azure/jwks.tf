# An app that serves the public set to everybody. It has its own identity, plan and storage account: it shares nothing with the fleet.
locals {
  vault_of_set = var.public_set == null ? null : split("/", var.public_set)

  jwks_host = var.public_set == null ? {} : {
    AzureWebJobsStorage                                                              = "" # as in functions.tf
    AzureWebJobsStorage__accountName                                                 = one(azurerm_storage_account.jwks[*].name)
    AzureWebJobsStorage__credential                                                  = "managedidentity"
    AzureWebJobsStorage__clientId                                                    = one(azurerm_user_assigned_identity.jwks[*].client_id)
    AZURE_CLIENT_ID                                                                  = one(azurerm_user_assigned_identity.jwks[*].client_id)
    AzureWebJobsDisableHomepage                                                      = "true"
    AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled = "false"
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING                                        = "ClientId=${one(azurerm_user_assigned_identity.jwks[*].client_id)};Authorization=AAD"
    KEYTURN_JWKS                                                                     = "azure:${local.vault_of_set[8]}/${local.vault_of_set[10]}"
  }
}

resource "azurerm_storage_account" "jwks" {
  count                           = var.public_set == null ? 0 : 1
  name                            = "${replace(var.prefix, "-", "")}jwks"
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
}

resource "azurerm_storage_container" "jwks_archive" {
  count                 = var.public_set == null ? 0 : 1
  name                  = "archive"
  storage_account_id    = azurerm_storage_account.jwks[0].id
  container_access_type = "private"
}

resource "azurerm_role_assignment" "jwks_host" {
  count                = var.public_set == null ? 0 : 1
  scope                = azurerm_storage_account.jwks[0].id
  role_definition_name = "Storage Blob Data Owner"
  principal_id         = azurerm_user_assigned_identity.jwks[0].principal_id
  principal_type       = "ServicePrincipal"
}

# The only secret that jwks may read.
resource "azurerm_role_assignment" "jwks_set" {
  count              = var.public_set == null ? 0 : 1
  scope              = var.public_set
  role_definition_id = azurerm_role_definition.read.role_definition_resource_id
  principal_id       = azurerm_user_assigned_identity.jwks[0].principal_id
  principal_type     = "ServicePrincipal"
}

resource "azurerm_service_plan" "jwks" {
  count               = var.public_set == null ? 0 : 1
  name                = "${var.prefix}-jwks"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  os_type             = "Linux"
  sku_name            = "FC1"
}

resource "azurerm_function_app_flex_consumption" "jwks" {
  count                             = var.public_set == null ? 0 : 1
  name                              = "${var.prefix}-jwks"
  resource_group_name               = azurerm_resource_group.this.name
  location                          = azurerm_resource_group.this.location
  service_plan_id                   = azurerm_service_plan.jwks[0].id
  runtime_name                      = "node"
  runtime_version                   = "22"
  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.jwks[0].primary_blob_endpoint}${azurerm_storage_container.jwks_archive[0].name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.jwks[0].id
  maximum_instance_count            = var.max_instances
  instance_memory_in_mb             = var.memory
  https_only                        = true
  zip_deploy_file                   = var.archive
  app_settings                      = local.jwks_host

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.jwks[0].id]
  }

  site_config {
    application_insights_connection_string = azurerm_application_insights.this.connection_string
    minimum_tls_version                    = "1.2"
    http2_enabled                          = true
  }

  depends_on = [
    azurerm_role_assignment.jwks_host,
    azurerm_role_assignment.jwks_set,
    azurerm_role_assignment.jwks_telemetry,
  ]
}
