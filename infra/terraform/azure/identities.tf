# One identity for each function app. It is there before the app, so that the app has its rights when it starts, and nobody has a key of it.
resource "azurerm_user_assigned_identity" "fleet" {
  name                = "${var.prefix}-fleet"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}

resource "azurerm_user_assigned_identity" "jwks" {
  count               = var.public_set == null ? 0 : 1
  name                = "${var.prefix}-jwks"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}
