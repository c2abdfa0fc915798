# A vault that Terraform owns, whose secrets Keyturn rotates. Apply in this order: the vault; the staging vault and the storage account of the module
# (-target=module.keyturn.azurerm_key_vault.staging and -target=module.keyturn.azurerm_storage_container.journals); keyturn adopt azure:VAULT/db; the rest.
terraform {
  required_version = ">= 1.5"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = ">= 4.55, < 5.0"
    }
  }
}

# Keys of the storage accounts do not count: the provider uses your own login there.
provider "azurerm" {
  storage_use_azuread = true

  features {}
}

variable "vault" {
  type        = string
  description = "The name of the vault, which is unique in the world"
}

variable "prefix" {
  type        = string
  description = "How names begin that are unique in the world"
}

data "azurerm_client_config" "this" {}

resource "azurerm_resource_group" "shop" {
  name     = "shop"
  location = "westeurope"
}

# Its values are not here: the first version is set by hand or by keyturn put, and the others by Keyturn. Nor are its secrets: a resource
# azurerm_key_vault_secret holds the value in the state of Terraform, and would undo a rotation.
resource "azurerm_key_vault" "shop" {
  name                       = var.vault
  resource_group_name        = azurerm_resource_group.shop.name
  location                   = azurerm_resource_group.shop.location
  tenant_id                  = data.azurerm_client_config.this.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
}

module "keyturn" {
  source         = "../.."
  location       = azurerm_resource_group.shop.location
  prefix         = var.prefix
  archive        = "${path.module}/../../../../../dist/functions/azure/app.zip"
  vaults         = { (var.vault) = { id = azurerm_key_vault.shop.id, location = azurerm_resource_group.shop.location } }
  administrators = ["${azurerm_key_vault.shop.id}/secrets/pg-admin"]
}
