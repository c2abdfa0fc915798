output "staging_vault" {
  value       = azurerm_key_vault.staging.name
  description = "The vault of the staging places, as KEYTURN_AZURE_STAGING_VAULT takes it"
}

output "storage_account" {
  value       = azurerm_storage_account.fleet.name
  description = "The account that has the journals, as KEYTURN_AZURE_STORAGE takes it"
}

output "dead_letters" {
  value       = "${azurerm_storage_account.fleet.primary_blob_endpoint}${azurerm_storage_container.dead_letters.name}"
  description = "Where the events are that could not be delivered"
}

output "poison_queue" {
  value       = azurerm_storage_queue.poison.name
  description = "The queue of what could not be done"
}

output "invoke_url" {
  value       = "https://${azurerm_function_app_flex_consumption.fleet.default_hostname}/invoke"
  description = "Where people and pipelines ask"
}

output "public_set_url" {
  value       = one([for host in azurerm_function_app_flex_consumption.jwks[*].default_hostname : "https://${host}"])
  description = "Where everybody reads the public set; null without one"
}

output "principal_id" {
  value       = azurerm_user_assigned_identity.fleet.principal_id
  description = "The object id of the functions' identity, for what it needs beside secrets, such as a cluster or a database"
}
