import { Command, Option } from 'commander'
import { optional } from '../../shared/core/optional.js'
import type { ConsumerPhase, VersionId } from '../../shared/core/ports/words.js'
import { consumerPhases } from '../../shared/core/ports/words.js'
import { noteSeen } from '../../shared/lifecycle/consumers/seen.js'
import { action } from '../context.js'

interface SeenOptions {
  readonly consumer: string
  readonly phase: ConsumerPhase
  readonly publication?: string
}

/** Notes how far a consumer follows the current publication. Repeatable. bad_event for an unknown consumer, conflict for another publication. */
export const seen = (): Command =>
  new Command('seen')
    .description('note that a consumer follows the current publication; for a manual consumer this note is the evidence')
    .argument('<ref>', 'the secret, such as file:db')
    .requiredOption('--consumer <name>', 'name of the consumer in the configuration secret')
    .option('--publication <version>', 'version that it follows, as status shows it; refused if another version is current by now')
    .addOption(new Option('--phase <phase>', 'how far it has come').choices([...consumerPhases]).default('drained'))
    .addHelpText('after', '\nExample:\n  keyturn seen file:db --consumer billing')
    .action(
      action(async ({ app, output }, refText: string, { consumer, phase, publication }: SeenOptions) => {
        const { ref, version } = await noteSeen(await app.deps(refText), refText, {
          consumer,
          phase,
          ...optional('version', publication as VersionId | undefined),
        })
        output.result({ ref: ref.shown, consumer, phase, version }, [`${consumer} is noted as ${phase} on ${version} of ${ref.shown}.`])
      }),
    )
