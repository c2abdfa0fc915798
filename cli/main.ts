#!/usr/bin/env node
import { outliveReaders } from './output.js'
import { runCommand } from './run-command.js'
import { processTerminal } from './terminal.js'

// The SDK of AWS says at each start that versions of next year want a newer Node; which one is used here is ours to say, not a user's.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
outliveReaders()
await runCommand(process.argv.slice(2), processTerminal())
