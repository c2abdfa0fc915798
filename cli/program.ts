import { Command } from 'commander'
import about from '../package.json' with { type: 'json' }
import { adopt } from './commands/adopt.js'
import { audit } from './commands/audit.js'
import { completion } from './commands/completion.js'
import { config, schema } from './commands/config.js'
import { doctor } from './commands/doctor.js'
import { get } from './commands/get.js'
import { init } from './commands/init.js'
import { list } from './commands/list.js'
import { permissions } from './commands/permissions.js'
import { plan } from './commands/plan.js'
import { policy } from './commands/policy.js'
import { put } from './commands/put.js'
import { receive } from './commands/receive.js'
import { recover } from './commands/recover.js'
import { reencrypted } from './commands/reencrypted.js'
import { release } from './commands/release.js'
import { retire } from './commands/retire.js'
import { revoke } from './commands/revoke.js'
import { rollback } from './commands/rollback.js'
import { rotate } from './commands/rotate.js'
import { seen } from './commands/seen.js'
import { status } from './commands/status.js'
import { sweep } from './commands/sweep.js'
import { verify } from './commands/verify.js'
import { helpOfOptions } from './options.js'
import { type Terminal, useTerminal } from './terminal.js'

const commands = [init, put, adopt, policy, get, list, status, plan, rotate, sweep, verify, seen, retire]
const rarer = [rollback, revoke, reencrypted, recover, release, receive, permissions, config, schema, doctor, audit]

/** Makes the whole command line. A wrong word is thrown as a CommanderError, so that one place reports it. `quiet`: one JSON object says everything. */
export function createProgram(terminal: Terminal, quiet: boolean): Command {
  const screens = {
    writeOut: (text: string) => void terminal.stdout.write(text),
    writeErr: (text: string) => void (quiet || terminal.stderr.write(text)),
    outputError: () => {},
  }
  const program = new Command('keyturn')
    .description(about.description)
    .version(about.version)
    .option('--json', 'print one JSON object on one line, last on stdout')
    .option('--home <dir>', 'folder of the file store (KEYTURN_HOME; default ~/.keyturn)')
    .option('--verbose', 'show every log line, on stderr')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput(screens)
    .configureHelp(helpOfOptions)
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 2 correct something · 3 wait · 4 a person must look · 75 try again · 128+n ended by signal n\n\nExample:\n  keyturn init && keyturn put file:db --file db.json && keyturn adopt file:db && keyturn rotate file:db',
    )
  for (const command of [...commands, ...rarer, () => completion(() => program)]) {
    const made = command()
    for (const one of [made, ...made.commands]) one.exitOverride().configureOutput(screens).configureHelp(helpOfOptions)
    program.addCommand(made)
  }
  useTerminal(program, terminal)
  return program
}
