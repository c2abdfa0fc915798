# It counts looks that came to the end of the listing. Without any, the count is 0: a row is there always.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "silent" {
  name                    = "${var.prefix}-silent"
  display_name            = "${var.prefix}: the sweep is silent"
  description             = "No look came to the end of the listing. See the function sweep in Application Insights and its lines step_failed. Nothing that is due is started meanwhile, except by events."
  resource_group_name     = azurerm_resource_group.this.name
  location                = azurerm_resource_group.this.location
  scopes                  = [azurerm_log_analytics_workspace.this.id]
  severity                = 0
  evaluation_frequency    = "PT5M"
  window_duration         = local.silence
  auto_mitigation_enabled = true
  skip_query_validation   = true

  criteria {
    query                   = <<-EOT
      ${trimspace(local.lines)}
      | where tostring(line.log) == "looked" and tostring(line.complete) == "true"
      | summarize looks = count()
    EOT
    time_aggregation_method = "Total"
    operator                = "LessThan"
    threshold               = 1
    metric_measure_column   = "looks"
  }

  action {
    action_groups = var.action_groups
  }
}

# A hold passes by itself, or a consumer has to be corrected. Waiting for a window is no hold.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "held" {
  name                    = "${var.prefix}-held"
  display_name            = "${var.prefix}: rotations are held"
  description             = "The lines held of the sweep name the secrets and what holds them: a freeze, or a consumer that has not followed yet."
  resource_group_name     = azurerm_resource_group.this.name
  location                = azurerm_resource_group.this.location
  scopes                  = [azurerm_log_analytics_workspace.this.id]
  severity                = 2
  evaluation_frequency    = "PT30M"
  window_duration         = var.held_hours < 24 ? "PT${var.held_hours}H" : "P${var.held_hours / 24}D"
  auto_mitigation_enabled = true
  skip_query_validation   = true

  criteria {
    query                   = <<-EOT
      ${trimspace(local.lines)}
      | where tostring(line.log) == "looked"
      | summarize looks = count(), held = countif(tolong(line.held) > 0)
      | where looks > 0 and looks == held
    EOT
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }

  action {
    action_groups = var.action_groups
  }
}

# What the host gave up after its last attempt, and what the functions put there themselves.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "poison" {
  name                    = "${var.prefix}-poison"
  display_name            = "${var.prefix}: work was given up"
  description             = "The queue keyturn-work-poison has what could not be done. Look at a message, correct the reason, and delete it: a look sends again what is due."
  resource_group_name     = azurerm_resource_group.this.name
  location                = azurerm_resource_group.this.location
  scopes                  = [azurerm_log_analytics_workspace.this.id]
  severity                = 2
  evaluation_frequency    = "PT5M"
  window_duration         = "PT5M"
  auto_mitigation_enabled = true
  skip_query_validation   = true

  criteria {
    query                   = <<-EOT
      StorageQueueLogs
      | where OperationName == "PutMessage" and StatusText == "Success"
      | where AccountName == "${azurerm_storage_account.fleet.name}" and Uri contains "/${azurerm_storage_queue.poison.name}/"
    EOT
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }

  action {
    action_groups = var.action_groups
  }
}

# What Event Grid gave up is in the container of the dead letters. The sweep finds what it was about.
resource "azurerm_monitor_metric_alert" "events" {
  for_each            = var.vaults
  name                = "${var.prefix}-events-${each.key}"
  description         = "Events of the vault ${each.key} could not be delivered for a day. They are in the container of the dead letters."
  resource_group_name = azurerm_resource_group.this.name
  scopes              = [azurerm_eventgrid_system_topic.vault[each.key].id]
  severity            = 2
  frequency           = "PT5M"
  window_size         = "PT5M"

  criteria {
    metric_namespace = "Microsoft.EventGrid/systemTopics"
    metric_name      = "DeadLetteredCount"
    aggregation      = "Total"
    operator         = "GreaterThan"
    threshold        = 0
  }

  dynamic "action" {
    for_each = var.action_groups

    content {
      action_group_id = action.value
    }
  }
}
