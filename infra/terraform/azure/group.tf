resource "azurerm_resource_group" "this" {
  name     = var.prefix
  location = var.location
}
