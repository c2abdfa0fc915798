locals {
  vault_of_configuration = var.configuration == null ? null : split("/", var.configuration)

  # What the host and the vendor's libraries read.
  fleet_host = {
    AzureWebJobsStorage                                                              = "" # the provider would write a connection string with an empty key
    AzureWebJobsStorage__accountName                                                 = azurerm_storage_account.fleet.name
    AzureWebJobsStorage__credential                                                  = "managedidentity"
    AzureWebJobsStorage__clientId                                                    = azurerm_user_assigned_identity.fleet.client_id
    AZURE_CLIENT_ID                                                                  = azurerm_user_assigned_identity.fleet.client_id
    AzureWebJobsDisableHomepage                                                      = "true"
    AzureFunctionsJobHost__functionTimeout                                           = format("%02d:%02d:00", floor(var.timeout_minutes / 60), var.timeout_minutes % 60)
    AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled = "false" # alerts count lines
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING                                        = "ClientId=${azurerm_user_assigned_identity.fleet.client_id};Authorization=AAD"
  }
  fleet_settings = {
    KEYTURN_AZURE_VAULTS        = join(" ", keys(var.vaults))
    KEYTURN_AZURE_STAGING_VAULT = azurerm_key_vault.staging.name
    KEYTURN_AZURE_CONTAINER     = azurerm_storage_container.journals.name
    KEYTURN_QUEUE               = azurerm_storage_queue.work.name
    KEYTURN_SCHEDULE            = var.look_minutes == 60 ? "0 0 * * * *" : "0 */${var.look_minutes} * * * *"
  }
}

# A plan of this kind has one app.
resource "azurerm_service_plan" "fleet" {
  name                = "${var.prefix}-fleet"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  os_type             = "Linux"
  sku_name            = "FC1"
}

# rotate, propagate, sweep, work and invoke. The provider deploys the archive again where its path changes, and logs in for that as the publisher of the app.
resource "azurerm_function_app_flex_consumption" "fleet" {
  name                              = "${var.prefix}-fleet"
  resource_group_name               = azurerm_resource_group.this.name
  location                          = azurerm_resource_group.this.location
  service_plan_id                   = azurerm_service_plan.fleet.id
  runtime_name                      = "node"
  runtime_version                   = "22"
  storage_container_type            = "blobContainer"
  storage_container_endpoint        = "${azurerm_storage_account.fleet.primary_blob_endpoint}${azurerm_storage_container.archive.name}"
  storage_authentication_type       = "UserAssignedIdentity"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.fleet.id
  maximum_instance_count            = var.max_instances
  instance_memory_in_mb             = var.memory
  https_only                        = true
  virtual_network_subnet_id         = var.subnet_id
  zip_deploy_file                   = var.archive

  app_settings = merge(
    var.environment,
    local.fleet_host,
    local.fleet_settings,
    var.configuration == null ? {} : { KEYTURN_CONFIG = "azure:${local.vault_of_configuration[8]}/${local.vault_of_configuration[10]}" },
    length(var.invokers) == 0 ? {} : { KEYTURN_INVOKERS = join(" ", var.invokers) },
  )

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.fleet.id]
  }

  # The platform checks a token that comes, and lets pass what has none: Event Grid has a key of the host. The function invoke refuses who is not named.
  dynamic "auth_settings_v2" {
    for_each = var.entra_application == null ? [] : [var.entra_application]

    content {
      auth_enabled           = true
      require_authentication = false
      unauthenticated_action = "AllowAnonymous"
      require_https          = true

      active_directory_v2 {
        client_id            = auth_settings_v2.value
        tenant_auth_endpoint = "https://login.microsoftonline.com/${azurerm_user_assigned_identity.fleet.tenant_id}/v2.0"
        allowed_audiences    = ["api://${auth_settings_v2.value}"]
        allowed_identities   = var.invokers
      }

      login {}
    }
  }

  site_config {
    application_insights_connection_string = azurerm_application_insights.this.connection_string
    minimum_tls_version                    = "1.2"
    http2_enabled                          = true
    vnet_route_all_enabled                 = var.subnet_id == null ? null : true
    ip_restriction_default_action          = local.network

    dynamic "ip_restriction" {
      for_each = var.firewall ? ["AzureEventGrid"] : []

      content {
        name        = "events"
        priority    = 100
        action      = "Allow"
        service_tag = ip_restriction.value
      }
    }

    dynamic "ip_restriction" {
      for_each = var.firewall ? var.addresses : []

      content {
        name       = "caller-${ip_restriction.key}"
        priority   = 200 + ip_restriction.key
        action     = "Allow"
        ip_address = ip_restriction.value
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(var.invokers) == 0 || var.entra_application != null
      error_message = "Who is named in invokers can only be told where entra_application is given: it checks the tokens."
    }
  }

  depends_on = [
    azurerm_role_assignment.fleet_host,
    azurerm_role_assignment.fleet_journals,
    azurerm_role_assignment.fleet_queue,
    azurerm_role_assignment.fleet_poison,
    azurerm_role_assignment.fleet_telemetry,
  ]
}
