# Custom roles: a predefined one has more than is used. The name of a role is unique in a tenant, which the prefix takes care of.
locals {
  # Where the roles may be assigned: the subscriptions of what is granted on. An assignable scope grants nothing.
  granted_on = concat(
    [azurerm_resource_group.this.id],
    [for one in values(var.vaults) : one.id],
    var.administrators,
    var.flexible_servers,
    var.configuration == null ? [] : [var.configuration],
    var.public_set == null ? [] : [var.public_set],
  )
  subscriptions = distinct([for one in local.granted_on : "/subscriptions/${split("/", one)[2]}"])
}

resource "azurerm_role_definition" "work" {
  name              = "${var.prefix}: work on secrets"
  scope             = local.subscriptions[0]
  assignable_scopes = local.subscriptions

  permissions {
    data_actions = [
      "Microsoft.KeyVault/vaults/secrets/getSecret/action",
      "Microsoft.KeyVault/vaults/secrets/setSecret/action",
      "Microsoft.KeyVault/vaults/secrets/update/action",
    ]
  }
}

resource "azurerm_role_definition" "list" {
  name              = "${var.prefix}: list secrets"
  scope             = local.subscriptions[0]
  assignable_scopes = local.subscriptions

  permissions {
    data_actions = ["Microsoft.KeyVault/vaults/secrets/readMetadata/action"]
  }
}

resource "azurerm_role_definition" "read" {
  name              = "${var.prefix}: read a secret"
  scope             = local.subscriptions[0]
  assignable_scopes = local.subscriptions

  permissions {
    data_actions = ["Microsoft.KeyVault/vaults/secrets/getSecret/action"]
  }
}

resource "azurerm_role_definition" "journal" {
  name              = "${var.prefix}: keep journals"
  scope             = local.subscriptions[0]
  assignable_scopes = local.subscriptions

  permissions {
    data_actions = [
      "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
      "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
    ]
  }
}

resource "azurerm_role_definition" "queue" {
  name              = "${var.prefix}: send and do work"
  scope             = local.subscriptions[0]
  assignable_scopes = local.subscriptions

  permissions {
    actions = ["Microsoft.Storage/storageAccounts/queueServices/queues/read"]
    data_actions = [
      "Microsoft.Storage/storageAccounts/queueServices/queues/messages/read",
      "Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action",
      "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write",
    ]
  }
}
