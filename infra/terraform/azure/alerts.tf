locals {
  # What the functions of the fleet print is JSON on one line, which the host passes on as the message of a trace.
  lines = <<-EOT
    AppTraces
    | where AppRoleName =~ "${azurerm_function_app_flex_consumption.fleet.name}"
    | extend line = parse_json(Message)
  EOT

  # Windows that the service takes: at least two looks, and at least three of them and half an hour.
  windows = [
    { minutes = 5, name = "PT5M" },
    { minutes = 10, name = "PT10M" },
    { minutes = 15, name = "PT15M" },
    { minutes = 30, name = "PT30M" },
    { minutes = 45, name = "PT45M" },
    { minutes = 60, name = "PT1H" },
    { minutes = 120, name = "PT2H" },
    { minutes = 180, name = "PT3H" },
  ]
  two_looks = [for one in local.windows : one.name if one.minutes >= 2 * var.look_minutes][0]
  silence   = [for one in local.windows : one.name if one.minutes >= max(30, 3 * var.look_minutes)][0]
}

# What is due is not overdue before a working sweep would have started it, so that this means: somebody has to look.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "overdue" {
  name                    = "${var.prefix}-overdue"
  display_name            = "${var.prefix}: a rotation is overdue"
  description             = "The lines overdue of the sweep name the secrets, for how long they have been due, and what holds them. keyturn status azure:VAULT/NAME says more."
  resource_group_name     = azurerm_resource_group.this.name
  location                = azurerm_resource_group.this.location
  scopes                  = [azurerm_log_analytics_workspace.this.id]
  severity                = 2
  evaluation_frequency    = "PT5M"
  window_duration         = local.two_looks
  auto_mitigation_enabled = true
  skip_query_validation   = true

  criteria {
    query                   = <<-EOT
      ${trimspace(local.lines)}
      | where tostring(line.log) == "looked" and tolong(line.overdue) > 0
    EOT
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }

  action {
    action_groups = var.action_groups
  }
}

# A person has to decide. Nothing of such a secret goes on by itself.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "stuck" {
  name                    = "${var.prefix}-stuck"
  display_name            = "${var.prefix}: a secret is stuck"
  description             = "The lines stuck of the sweep name the secrets. keyturn status azure:VAULT/NAME says what is left to do."
  resource_group_name     = azurerm_resource_group.this.name
  location                = azurerm_resource_group.this.location
  scopes                  = [azurerm_log_analytics_workspace.this.id]
  severity                = 0
  evaluation_frequency    = "PT5M"
  window_duration         = local.two_looks
  auto_mitigation_enabled = true
  skip_query_validation   = true

  criteria {
    query                   = <<-EOT
      ${trimspace(local.lines)}
      | where tostring(line.log) == "looked" and tolong(line.stuck) > 0
    EOT
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }

  action {
    action_groups = var.action_groups
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "unreadable" {
  name                    = "${var.prefix}-unreadable"
  display_name            = "${var.prefix}: a secret or a vault cannot be looked at"
  description             = "The lines look_failed of the sweep name the secrets or the vaults, and the errors. What nobody can look at is not rotated."
  resource_group_name     = azurerm_resource_group.this.name
  location                = azurerm_resource_group.this.location
  scopes                  = [azurerm_log_analytics_workspace.this.id]
  severity                = 2
  evaluation_frequency    = "PT5M"
  window_duration         = local.two_looks
  auto_mitigation_enabled = true
  skip_query_validation   = true

  criteria {
    query                   = <<-EOT
      ${trimspace(local.lines)}
      | where tostring(line.log) == "looked" and tolong(line.failed) > 0
    EOT
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }

  action {
    action_groups = var.action_groups
  }
}

# A message or an event that nobody can read.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "dead_letters" {
  name                    = "${var.prefix}-dead-letters"
  display_name            = "${var.prefix}: dead letters"
  description             = "Look into the queue keyturn-work-poison: who sends to the queue or to the functions, and is not Keyturn?"
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
      ${trimspace(local.lines)}
      | where tostring(line.log) == "dead_letter"
    EOT
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }

  action {
    action_groups = var.action_groups
  }
}
