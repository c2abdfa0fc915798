import { Argument, Command } from 'commander'
import { completionScript, type Shell, shells } from '../completion-scripts.js'
import { createOutput } from '../output.js'
import { terminalOf } from '../terminal.js'

/** `program`: what is completed, once all commands are added to it. */
export const completion = (program: () => Command): Command =>
  new Command('completion')
    .description('print what a shell needs to complete keyturn')
    .addArgument(new Argument('<shell>', 'which shell').choices([...shells]))
    .addHelpText('after', '\nExample:\n  source <(keyturn completion bash)')
    .action((shell: Shell) => {
      const all = program()
      const script = completionScript(all, shell)
      createOutput(all.opts<{ json?: boolean }>().json === true, terminalOf(all)).result({ shell, script }, [script.trimEnd()])
    })
