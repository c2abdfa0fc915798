#!/usr/bin/env node
import { outliveOutputs } from './output.js'
import { runCommand } from './run-command.js'
import { processTerminal } from './terminal.js'
import { withoutWarning } from './warnings.js'

// The AWS SDK warns at each start that next year's versions need a newer Node. Which Node is used is our choice, not the user's.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
withoutWarning('MetadataLookupWarning', process)
const terminal = processTerminal()
outliveOutputs(terminal)
await runCommand(process.argv.slice(2), terminal)
