import { Argument, Command } from 'commander'
import { completionScript, type Shell, shells } from '../completion-scripts.js'
import { createOutput } from '../output.js'
import { terminalOf } from '../terminal.js'

/** `program` returns the command line to complete. It is called after every command was added. */
export const completion = (program: () => Command): Command =>
  new Command('completion')
    .description('print the completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices([...shells]))
    .addHelpText('after', '\nExample:\n  source <(keyturn completion bash)')
    .action((shell: Shell) => {
      const all = program()
      const script = completionScript(all, shell)
      createOutput(all.opts<{ json?: boolean }>().json === true, terminalOf(all)).result({ shell, script }, [script.trimEnd()])
    })
