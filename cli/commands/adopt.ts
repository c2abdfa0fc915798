import { Command } from 'commander'
import { optional } from '../../shared/core/optional.js'
import { adopt as adoptSecret } from '../../shared/lifecycle/secret/adopt.js'
import { action } from '../context.js'
import { keyValues } from '../key-values.js'
import { trialJson, trialLines } from '../trial-lines.js'

/** Logs in once with the current value, and only then writes the policy. target_auth if the target refuses the login. */
export const adopt = (): Command =>
  new Command('adopt')
    .description(
      'start managing a secret: try what a rotation would write, log in once, then write the policy; nothing changes at the target',
    )
    .argument('<ref>', 'the secret, such as file:db')
    .argument('[policy...]', 'key=value, such as strategy=alternate grace=2h')
    .option('--rotator <kind>', 'kind of credential; inferred if the value names it')
    .addHelpText('after', '\nExample:\n  keyturn adopt file:db strategy=alternate pair="app_a app_b" admin=file:pg-admin')
    .action(
      action(async ({ app, output }, refText: string, words: readonly string[], options: { readonly rotator?: string }) => {
        const patch = { ...optional('keyturn-rotator', options.rotator), ...keyValues(words) }
        const { ref, rotator, trial } = await adoptSecret(await app.deps(refText), await app.admin(refText), refText, patch)
        output.result({ ref: ref.shown, rotator, accepted: true, ...trialJson(trial) }, [
          `${ref.shown} holds a ${rotator} credential that works. Next: keyturn rotate ${ref.shown}`,
          ...trialLines(trial),
        ])
      }),
    )
