import { Command, Option } from 'commander'
import type { TargetPhase } from '../../shared/core/ports/notifier.js'
import { targetPhases } from '../../shared/core/ports/notifier.js'
import { noteSeen } from '../../shared/lifecycle/seen.js'
import { action } from '../context.js'

export const seen = (): Command =>
  new Command('seen')
    .description('say that a consumer follows the current publication; for a manual target this is the evidence')
    .argument('<ref>', 'which secret')
    .requiredOption('--target <name>', 'which target, by its name in the configuration secret')
    .addOption(new Option('--phase <phase>', 'how far it is').choices([...targetPhases]).default('drained'))
    .addHelpText('after', '\nExample:\n  keyturn seen file:db --target billing')
    .action(
      action(async ({ app, output }, refText: string, { target, phase }: { readonly target: string; readonly phase: TargetPhase }) => {
        const { ref, version } = await noteSeen(await app.deps(refText), refText, { target, phase })
        output.result({ ref: ref.shown, target, phase, version }, [`${target} is noted as ${phase} on ${version} of ${ref.shown}.`])
      }),
    )
